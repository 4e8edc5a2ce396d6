//! What arrives for a transport before media can: ICE checks and the handshake. And what time does
//! to it: retransmissions, lost consent, reports.

use crate::arena::TransportKey;
use crate::engine::{Datagram, Engine};
use crate::feedback::report::REPORT_INTERVAL;
use crate::packet::stun::{BINDING_SUCCESS_MAX, BindingRequest};
use crate::srtp::{InboundControl, InboundSession, OutboundControl, OutboundSession, SrtpError};
use crate::transport::dtls::{DtlsOutput, DtlsTransport, POLL_BUFFER_LEN, SrtpKeyMaterial, SrtpKeys};
use crate::transport::ice_lite::IceDrop;
use crate::transport::webrtc_transport::{Keys, WebRtcTransport};
use railgun_shared::media_rpc::{Audience, Event};
use railgun_shared::transport_parameters::{DtlsState, IceState};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// For how long after its last check an address stays with its transport against a check for
/// another one, which anybody with a seat can make with a forged source.
const ADDRESS_HELD: Duration = Duration::from_secs(10);

impl Engine {
    /// An ICE check (RFC 8445 section 7.3). Whatever is wrong with it, it gets no answer.
    pub(crate) fn receive_binding(&mut self, datagram: &mut Datagram<'_>, now: Instant) {
        if self.answer_check(datagram, now).is_none() {
            self.counters.refused_checks += 1;
        }
    }

    fn answer_check(&mut self, datagram: &Datagram<'_>, now: Instant) -> Option<()> {
        let request = BindingRequest::parse(datagram.bytes).ok()?;
        let key = self.by_ufrag.get(request.local_ufrag()).copied()?;
        let source = datagram.source;
        if self.is_held_by_another(source, key, now) {
            return None;
        }
        let transport = self.transports.get_mut(key)?;
        let before = transport.ice.previous_ufrag().map(str::to_owned);
        let mut answer = [0; BINDING_SUCCESS_MAX];
        let result = transport.ice.handle_binding(&request, datagram.bytes, source, now, &mut answer);
        if result == Err(IceDrop::NotRelayed) {
            self.counters.unrelayed_checks += 1;
        }
        let answer_of = result.ok()?;
        let len = answer_of.len;
        // The first check with a restart's credentials ends those before it.
        if transport.ice.previous_ufrag().is_none()
            && let Some(ufrag) = before
        {
            self.by_ufrag.remove(&ufrag);
        }
        self.sends.write(source, len, |out| {
            let answer = answer.get(..len).unwrap_or_default();
            out.copy_from_slice(answer);
            len
        });
        self.learn_address(key, source, now);
        if answer_of.is_fresh
            && let Some(transport) = self.transports.get_mut(key)
        {
            // Its bytes were counted with it.
            transport.on_heard(source, 0, now);
        }
        self.follow_ice(key, now);
        self.start_handshake(key, now);
        Some(())
    }

    fn is_held_by_another(&self, source: SocketAddr, asking: TransportKey, now: Instant) -> bool {
        let Some(holder) = self.by_address.get(&source).filter(|holder| **holder != asking) else {
            return false;
        };
        let holder = self.transports.get(*holder);
        holder
            .and_then(|holder| holder.addresses.iter().find(|(address, _)| *address == source))
            .is_some_and(|(_, checked_at)| now.saturating_duration_since(*checked_at) < ADDRESS_HELD)
    }

    fn learn_address(&mut self, key: TransportKey, source: SocketAddr, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        match transport.addresses.iter_mut().find(|(address, _)| *address == source) {
            Some((_, checked_at)) => *checked_at = now,
            None => {
                transport.addresses.push((source, now));
                self.forget_lost_addresses(key);
            }
        }
        self.by_address.insert(source, key);
    }

    /// Addresses that ICE has given up, for room or for lack of consent.
    pub(super) fn forget_lost_addresses(&mut self, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let (ice, by_address) = (&transport.ice, &mut self.by_address);
        transport.addresses.retain(|(address, _)| {
            let kept = ice.tuple(*address).is_some();
            if !kept && by_address.get(address) == Some(&key) {
                by_address.remove(address);
            }
            kept
        });
    }

    /// The session is in privacy mode from now on: an address that is no relay's is sent nothing more.
    pub(super) fn confine_to_relays(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.ice.accept_only(self.config.relays.clone());
        self.follow_ice(key, now);
        self.forget_lost_addresses(key);
        self.schedule(key);
    }

    /// Lets a handshake begin in which we are the client, once there is somewhere to send.
    pub(crate) fn start_handshake(&mut self, key: TransportKey, now: Instant) {
        let is_to_begin = |transport: &WebRtcTransport| {
            let dtls = transport.connect.as_ref().map(|(_, dtls)| dtls);
            transport.selected.is_some() && dtls.is_some_and(DtlsTransport::begins_at_start)
        };
        let begins = self.transports.get(key).is_some_and(is_to_begin);
        if (!begins || self.admit_handshake(key, now))
            && let Some(transport) = self.transports.get_mut(key)
            && transport.selected.is_some()
            && let Some((_, dtls)) = &mut transport.connect
        {
            dtls.start(now);
        }
        self.poll_handshake(key, now);
        self.schedule(key);
    }

    /// A DTLS datagram; before its address passed a check it reaches nothing.
    pub(crate) fn receive_handshake(&mut self, datagram: &mut Datagram<'_>, now: Instant) {
        let Some(key) = self.by_address.get(&datagram.source).copied() else {
            self.counters.unknown_addresses += 1;
            return;
        };
        let Some((_, dtls)) = self.transports.get(key).and_then(|it| it.connect.as_ref()) else { return };
        // The client will send its first flight again.
        if dtls.begins_with(datagram.bytes, now) && !self.admit_handshake(key, now) {
            return;
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some((_, dtls)) = &mut transport.connect else { return };
        dtls.handle(datagram.bytes, now);
        // Once there are keys, what is not sealed with them buys a forger nothing.
        if transport.keys.is_none()
            && let Some(tuple) = transport.ice.tuple_mut(datagram.source)
        {
            tuple.proof.on_received(datagram.bytes.len());
        }
        self.poll_handshake(key, now);
        self.schedule(key);
    }

    /// Does what DTLS wants done.
    pub(crate) fn poll_handshake(&mut self, key: TransportKey, now: Instant) {
        self.poll_dtls(key, now);
        self.note_handshake(key, now);
    }

    fn poll_dtls(&mut self, key: TransportKey, now: Instant) {
        let mut buffer = [0; POLL_BUFFER_LEN];
        loop {
            let Some(transport) = self.transports.get_mut(key) else { return };
            let ice = transport.ice_state;
            let Some((_, dtls)) = &mut transport.connect else { return };
            match dtls.poll(&mut buffer) {
                DtlsOutput::None => break,
                DtlsOutput::Packet(len) => {
                    transport.send_plain(&mut self.sends, buffer.get(..len).unwrap_or_default());
                    if transport.dtls_state == DtlsState::New {
                        self.set_states(key, ice, DtlsState::Connecting);
                    }
                }
                DtlsOutput::Connected(material) => self.take_keys(key, &material, now),
                DtlsOutput::Failed(reason) => {
                    tracing::debug!(%reason, "handshake failed");
                    self.counters.handshakes_failed += 1;
                    self.set_states(key, ice, DtlsState::Failed);
                }
                DtlsOutput::Closed => {
                    transport.keys = None;
                    self.set_states(key, ice, DtlsState::Closed);
                }
            }
        }
    }

    /// The handshake is done.
    pub(crate) fn take_keys(&mut self, key: TransportKey, material: &SrtpKeyMaterial, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let ice = transport.ice_state;
        match material.split().and_then(|master| keys(&master)) {
            Ok(keys) => {
                transport.keys = Some(keys);
                let proved = transport.handshake_path.proved();
                if let Some(tuple) = proved.and_then(|address| transport.ice.tuple_mut(address)) {
                    tuple.proof.proved();
                }
                self.counters.handshakes_done += 1;
                self.set_states(key, ice, DtlsState::Connected);
                self.follow_ice(key, now);
                self.on_connected(key, now);
            }
            Err(error) => {
                tracing::error!(%error, "exported keys were refused");
                self.set_states(key, ice, DtlsState::Failed);
            }
        }
    }

    /// Media can flow: key frames that came too early are asked for again.
    fn on_connected(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.reports_at = Some(now + REPORT_INTERVAL);
        let consumers = transport.consumers.clone();
        for consumer in consumers {
            self.want_key_frame_for(consumer, now);
        }
    }

    pub(super) fn set_states(&mut self, key: TransportKey, ice: IceState, dtls: DtlsState) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if (transport.ice_state, transport.dtls_state) == (ice, dtls) {
            return;
        }
        (transport.ice_state, transport.dtls_state) = (ice, dtls);
        let (id, room, session) = (transport.id, transport.room, transport.session);
        self.tell(room, Audience::Only(session), Event::TransportState { transport: id, ice, dtls });
    }

    /// What a transport's timer is for.
    pub(crate) fn on_transport_due(&mut self, key: TransportKey, now: Instant) {
        let dtls = self.transports.get(key).and_then(|transport| transport.connect.as_ref());
        let begins = dtls.is_some_and(|(_, dtls)| dtls.begins_again_by(now));
        let may_begin = !begins || self.admit_handshake(key, now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        if let Some((_, dtls)) = &mut transport.connect {
            if !may_begin {
                dtls.put_off(now);
            }
            dtls.handle_timeout(now);
        }
        transport.ice.handle_timeout(now);
        let is_report_due = transport.reports_at.is_some_and(|at| at <= now);
        if is_report_due {
            transport.reports_at = Some(now + REPORT_INTERVAL);
        }
        self.poll_handshake(key, now);
        self.follow_ice(key, now);
        self.forget_lost_addresses(key);
        self.ask_for_proof(key, now);
        if is_report_due {
            self.send_reports(key, now);
        }
        self.request_key_frames(key, now);
        self.send_feedback(key, now);
    }
}

fn keys(master: &SrtpKeys) -> Result<Keys, SrtpError> {
    Ok(Keys {
        inbound: InboundSession::new(&master.inbound)?,
        inbound_control: InboundControl::new(&master.inbound)?,
        outbound: OutboundSession::new(&master.outbound)?,
        outbound_control: OutboundControl::new(&master.outbound)?,
    })
}

impl Engine {
    /// Gives the connected transport behind an address other keys than its handshake did, in place
    /// of a client that negotiates another suite. For measurements; false if nobody is there.
    #[doc(hidden)]
    pub fn replace_srtp_keys(&mut self, address: SocketAddr, master: &SrtpKeys) -> bool {
        let transport = self.by_address.get(&address).and_then(|key| self.transports.get_mut(*key));
        let (Some(transport), Ok(keys)) = (transport, keys(master)) else { return false };
        transport.keys = Some(keys);
        true
    }
}
