//! People who talk to each other, and who come back when they are told to.

use anyhow::{Context, Result};
use railgun_client::{Client, ClientError, Consumer, ErrorCode, EventStream, MediaKind, Producer, Source};
use railgun_protocol::ids::ProducerId;
use railgun_tests::{Cluster, Member, opus_payload, within};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// The contract's waits between tries to join.
const RETRIES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// A node that does not answer is given up after this.
const CALLED_WITHIN: Duration = Duration::from_secs(15);
const HEARD_WITHIN: Duration = Duration::from_secs(15);
pub(crate) const PACKET_INTERVAL: Duration = Duration::from_millis(20);

/// Joins as the contract has it: again after a while if no node can be had.
pub(crate) async fn join(client: &Client, channel: &str) -> Result<Member> {
    let mut retries = RETRIES.into_iter();
    loop {
        match Member::join(client.clone(), channel).await {
            Ok(member) => return Ok(member),
            Err(error) => {
                let code = error.downcast_ref::<ClientError>().and_then(ClientError::code);
                let pause = retries.next().filter(|_| code == Some(ErrorCode::NodeUnavailable));
                sleep(pause.ok_or(error)?).await;
            }
        }
    }
}

/// The delay that a `voice:rejoin` asks for.
pub(crate) async fn told_to_rejoin(events: &mut EventStream) -> Result<Duration> {
    let payload = events.named("voice:rejoin").await?;
    let delay = payload["retryAfterMs"].as_u64().context("no delay")?;
    Ok(Duration::from_millis(delay))
}

/// Sits in the channel without media, and joins again whenever it is told to.
pub(crate) async fn sit(client: Client, channel: String) -> Result<()> {
    let mut events = client.events();
    join(&client, &channel).await?;
    loop {
        sleep(told_to_rejoin(&mut events).await?).await;
        join(&client, &channel).await?;
    }
}

/// Talks in the channel, hears whoever else does, and joins again whenever it is told to. `heard`
/// has when the last packet came.
pub(crate) async fn talk(
    client: Client,
    name: String,
    channel: String,
    heard: watch::Sender<Option<Instant>>,
) -> Result<()> {
    let mut rejoins = client.events();
    loop {
        let call = converse(&client, &name, &channel, &heard);
        tokio::select! {
            delay = told_to_rejoin(&mut rejoins) => sleep(delay?).await,
            // A request that failed because the node is gone is followed by the call to come back.
            ended = call => match timeout(CALLED_WITHIN, told_to_rejoin(&mut rejoins)).await {
                Ok(delay) => sleep(delay?).await,
                Err(_) => return ended,
            },
        }
    }
}

/// Two, each on a replica of their own, who hear each other when this returns: their calls, and when each last
/// heard the other.
pub(crate) async fn two_talk(
    cluster: &Cluster,
    channel: &str,
) -> (Vec<JoinHandle<Result<()>>>, Vec<watch::Receiver<Option<Instant>>>) {
    let (mut calls, mut hearing) = (Vec::new(), Vec::new());
    for (replica, name) in ["ada", "bob"].into_iter().enumerate() {
        let client = cluster.client(name, replica).await.unwrap();
        let (heard, at) = watch::channel(None);
        hearing.push(at);
        calls.push(tokio::spawn(talk(client, name.into(), channel.into(), heard)));
    }
    for heard in &mut hearing {
        drop(within(HEARD_WITHIN, "speech", heard.wait_for(Option::is_some)).await.unwrap());
    }
    (calls, hearing)
}

async fn converse(
    client: &Client,
    name: &str,
    channel: &str,
    heard: &watch::Sender<Option<Instant>>,
) -> Result<()> {
    let mut events = client.events();
    let member = join(client, channel).await?;
    let microphone = member.sending.produce(MediaKind::Audio, Source::Mic).await?;
    let mut consumer = consume(&member, &mut events).await?;
    let listen = async {
        while consumer.receive().await.is_some() {
            heard.send_replace(Some(Instant::now()));
        }
        // Its room is gone; being told so ends this.
        std::future::pending().await
    };
    tokio::select! {
        ended = speak(&microphone, name) => ended,
        () = listen => Ok(()),
    }
}

/// The first producer of anybody else, now or later.
pub(crate) async fn consume(member: &Member, events: &mut EventStream) -> Result<Consumer> {
    let there = member.joined.participants.iter().flat_map(|participant| &participant.producers).next();
    let producer: ProducerId = match there {
        Some(producer) => producer.producer_id,
        None => {
            let payload = events.named("voice:newProducer").await?;
            payload["producerId"].as_str().context("no producer id")?.parse()?
        }
    };
    Ok(member.receiving.consume(producer).await?)
}

/// Sends a frame every 20 ms, for good.
pub(crate) async fn speak(microphone: &Producer, name: &str) -> Result<()> {
    let mut tick = interval(PACKET_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for number in 0_u32.. {
        tick.tick().await;
        let payload = opus_payload(name, number);
        // While a room is lost, its transport is as well; being told so ends this.
        if microphone.send(&payload, number == 0, number.wrapping_mul(960)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

/// Somebody who sits in a room on this node, and the channel's name.
pub(crate) async fn somebody_on(cluster: &Cluster, node: usize, replica: usize) -> Result<(Member, String)> {
    for number in 0..50 {
        let channel = format!("on-{node}-{number}");
        let client = cluster.client(&format!("finder-{node}-{number}"), replica).await?;
        let member = join(&client, &channel).await?;
        let (id, _) = cluster.room(&channel).await?.context("an open room is not bound")?;
        if id == Cluster::node_id(node) {
            return Ok((member, channel));
        }
    }
    anyhow::bail!("of fifty rooms none came to node {node}")
}
