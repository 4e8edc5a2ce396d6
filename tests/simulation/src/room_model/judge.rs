//! What the model has a command do, and whether the answer says the same.

use super::bench::{Answer, Bench, differs};
use super::model::{Room, Seat};
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, Grant, JoinRequest, Reply, Rights};
use railgun_protocol::signal::{ErrorBody, ErrorCode, VideoSource};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsParameters, DtlsRole, TransportDirection};
use std::time::Instant;

/// Of a refusal that a limit may bring at any time.
fn is_limited(error: &ErrorBody) -> bool {
    error.code == ErrorCode::RateLimited || error.message.contains("too many")
}

fn video_until(bench: &Bench, grant: &Grant) -> Option<Instant> {
    let until = grant.video_until?;
    Some(bench.now + until.duration_since(bench.wall).unwrap_or_default())
}

impl Bench {
    pub(super) fn judge(
        &mut self,
        channel: &'static str,
        address: &Address,
        session: SessionId,
        command: &Command,
        answer: &Answer,
    ) {
        let mut room = self.rooms.remove(channel).unwrap_or_default();
        let wanted = if let Command::Join(request) = command {
            self.join(&mut room, address, request)
        } else {
            self.of_seat(&mut room, address, session, command, answer)
        };
        let agrees = match (wanted, answer) {
            (Ok(()), Ok(_)) => true,
            (Err(codes), Err(error)) => codes.contains(&error.code),
            (Ok(()), Err(error)) => is_limited(error),
            (Err(_), Ok(_)) => false,
        };
        if !agrees {
            differs(command, answer, &format!("{wanted:?} (epoch {}, of {:?})", address.epoch, room.epochs));
        }
        if room.seats.is_empty() {
            let last = room.epochs.1;
            room = Room { epochs: (last, last), ended: last, ..Room::default() };
        }
        self.rooms.insert(channel, room);
    }

    fn join(&mut self, room: &mut Room, address: &Address, request: &JoinRequest) -> Wanted {
        let (id, user) = (request.session, Self::user(request.session));
        let device = request.device.is_some().then_some(1);
        if !room.seats.is_empty() && address.epoch < room.epochs.1 {
            return MOVED;
        }
        if room.seats.is_empty() && address.epoch <= room.ended {
            return MOVED;
        }
        if room.seats.is_empty() || address.epoch > room.epochs.1 {
            let epochs = (address.epoch, address.epoch);
            *room = Room { epochs, ended: room.ended.max(room.epochs.1), ..Room::default() };
        }
        let (has_video, until) = (request.grant.permissions.video, video_until(self, &request.grant));
        let token = request.resume.map_or(0, |digest| digest.0[0]);
        if let Some(seat) = room.seat(id) {
            (seat.has_video, seat.video_until) = (has_video, until);
            (seat.token, seat.next_token) = (token, None);
            room.enforce(id, self.now);
            return Ok(());
        }
        let older = room.older(user, device);
        if room.is_full(older) {
            return Err(&[ErrorCode::ChannelFull]);
        }
        let seat = Seat { user, device, token, has_video, video_until: until, ..Seat::default() };
        room.seats.push((id, seat));
        older.into_iter().for_each(|older| room.leave(older));
        Ok(())
    }

    fn of_seat(
        &mut self,
        room: &mut Room,
        address: &Address,
        id: SessionId,
        command: &Command,
        answer: &Answer,
    ) -> Wanted {
        let now = self.now;
        let is_resume = matches!(command, Command::Resume(_));
        let is_there = !room.seats.is_empty();
        if is_there && !(room.epochs.0..=room.epochs.1).contains(&address.epoch) {
            return if is_resume { Err(&RESUME_OR_MOVED) } else { MOVED };
        }
        let Some(seat) = room.seat(id) else {
            return if is_resume { Err(&[ErrorCode::ResumeFailed]) } else { NOT_FOUND };
        };
        let is_of_socket =
            !matches!(command, Command::Leave { .. } | Command::SetGrant { .. } | Command::Resume(_));
        if is_of_socket && let Some(next) = seat.next_token.take() {
            seat.token = next;
        }
        match (command, answer) {
            (Command::Leave { .. }, _) => room.leave(id),
            (Command::SetGrant { grant, .. }, _) => {
                (seat.has_video, seat.video_until) = (grant.permissions.video, video_until(self, grant));
                room.enforce(id, now);
            }
            (Command::Resume(request), _) => {
                let shown = request.token.0[0];
                if shown != seat.token && Some(shown) != seat.next_token {
                    return Err(&[ErrorCode::ResumeFailed]);
                }
                (seat.token, seat.next_token) = (shown, Some(request.next_token.0[0]));
                if let Some(Rights { grant, .. }) = request.rights {
                    (seat.has_video, seat.video_until) = (grant.permissions.video, video_until(self, &grant));
                    room.enforce(id, now);
                }
            }
            (Command::CreateTransport { direction, .. }, answer) => {
                return self.create_transport(room, address, id, *direction, answer);
            }
            (Command::Produce { transport, source, rtp_parameters, .. }, answer) => {
                let mid = rtp_parameters.mid.clone().unwrap_or_default();
                if seat.send != Some(*transport) {
                    // One to receive with is hers as well, and of the wrong direction.
                    let is_hers = seat.recv == Some(*transport);
                    let wrong = &[ErrorCode::InvalidState, ErrorCode::CapabilityRequired];
                    return if is_hers { Err(wrong) } else { NOT_FOUND };
                }
                if !seat.may_send(*source, now) {
                    return Err(&[ErrorCode::CapabilityRequired]);
                }
                if seat.sends(*source) {
                    return Err(&[ErrorCode::InvalidState]);
                }
                let is_used = seat.mids.contains(&mid);
                if let Some(source) = VideoSource::of(*source) {
                    let claim = (id, source);
                    if room.another_device_has(claim) {
                        return Err(&[ErrorCode::InvalidState]);
                    }
                    if !room.is_granted(claim) && !room.is_free() {
                        return Err(&[ErrorCode::VideoLimitReached]);
                    }
                }
                if is_used {
                    return Err(&[ErrorCode::InvalidPayload, ErrorCode::RateLimited]);
                }
                if let Ok(Reply::Produced { producer, .. }) = answer {
                    self.producers.push(*producer);
                    if let Some(seat) = room.seat(id) {
                        seat.producers.insert(*producer, (*source, false));
                        seat.mids.insert(mid);
                    }
                    if let Some(source) = VideoSource::of(*source) {
                        room.release((id, source));
                        room.live.push((id, source));
                    }
                }
            }
            (
                Command::PauseProducer { producer, .. }
                | Command::ResumeProducer { producer, .. }
                | Command::CloseProducer { producer, .. },
                answer,
            ) => {
                let Some((_, paused)) = seat.producers.get_mut(producer) else { return NOT_FOUND };
                match (command, answer.is_ok()) {
                    (Command::PauseProducer { .. }, true) => *paused = true,
                    (Command::ResumeProducer { .. }, true) => *paused = false,
                    (_, true) => room.close(id, *producer),
                    _ => {}
                }
            }
            (Command::Consume { producer, .. }, answer) => return self.consume(room, id, *producer, answer),
            (Command::PauseConsumer { consumer, .. } | Command::ResumeConsumer { consumer, .. }, _)
                if !seat.consumers.contains_key(consumer) =>
            {
                return NOT_FOUND;
            }
            (Command::RequestSlot { source, .. }, answer) => {
                let claim = (id, *source);
                if !seat.may_send((*source).into(), now) {
                    return Err(&[ErrorCode::CapabilityRequired]);
                }
                if room.another_device_has(claim) {
                    return Err(&[ErrorCode::InvalidState]);
                }
                if answer.is_ok() && !room.has(claim) {
                    room.queue.push(claim);
                }
            }
            (Command::ReleaseSlot { source, .. }, _) => {
                if room.live.contains(&(id, *source)) {
                    return Err(&[ErrorCode::InvalidState]);
                }
                room.release((id, *source));
            }
            _ => {}
        }
        Ok(())
    }

    /// A transport that never got through is replaced after some time, with all that was on it.
    fn create_transport(
        &mut self,
        room: &mut Room,
        address: &Address,
        id: SessionId,
        direction: TransportDirection,
        answer: &Answer,
    ) -> Wanted {
        let is_send = matches!(direction, TransportDirection::Send);
        let before = room.seat(id).and_then(|seat| if is_send { seat.send } else { seat.recv });
        let Ok(Reply::TransportCreated { transport, .. }) = answer else {
            return if before.is_some() {
                Err(&[ErrorCode::InvalidState, ErrorCode::RateLimited])
            } else {
                Ok(())
            };
        };
        if before == Some(*transport) {
            return Ok(());
        }
        self.transports.push(*transport);
        if is_send {
            let over = room.seat(id).map(|seat| seat.producers.clone()).unwrap_or_default();
            over.keys().for_each(|producer| room.close(id, *producer));
        }
        let value = ["AB"; 32].join(":");
        let fingerprints = vec![DtlsFingerprint { algorithm: "sha-256".into(), value }];
        let dtls = DtlsParameters { role: DtlsRole::Client, fingerprints };
        let connect = Command::ConnectTransport { session: id, transport: *transport, dtls };
        let connected = self.ask(address, connect.clone());
        if connected.is_err() {
            differs(&connect, &connected, "a transport that is hers");
        }
        if let Some(seat) = room.seat(id) {
            if is_send {
                (seat.send, seat.mids) = (Some(*transport), Default::default());
            } else {
                (seat.recv, seat.consumers) = (Some(*transport), Default::default());
            }
        }
        Ok(())
    }

    fn consume(&mut self, room: &mut Room, id: SessionId, producer: ProducerId, answer: &Answer) -> Wanted {
        let of = room.seats.iter().find(|(_, seat)| seat.producers.contains_key(&producer));
        let of = of.map(|(of, seat)| (*of, VideoSource::of(seat.producers[&producer].0).is_some()));
        let Some(seat) = room.seat(id) else { return NOT_FOUND };
        if seat.recv.is_none() {
            return Err(&[ErrorCode::InvalidState]);
        }
        let Some((of, is_video)) = of else { return NOT_FOUND };
        if of == id {
            return Err(&[ErrorCode::InvalidState]);
        }
        if let Ok(Reply::Consumed(it)) = answer {
            self.consumers.push(it.consumer);
            seat.consumers.retain(|_, (of, _)| *of != producer);
            seat.consumers.insert(it.consumer, (producer, is_video));
            if it.session != of {
                differs(&Command::Inspect, answer, &format!("{of}'s"));
            }
        }
        Ok(())
    }
}

type Wanted = Result<(), &'static [ErrorCode]>;
const MOVED_CODES: [ErrorCode; 1] = [ErrorCode::NodeUnavailable];
const MOVED: Wanted = Err(&MOVED_CODES);
const RESUME_OR_MOVED: [ErrorCode; 2] = [ErrorCode::ResumeFailed, ErrorCode::NodeUnavailable];
const NOT_FOUND: Wanted = Err(&[ErrorCode::NotFound]);
