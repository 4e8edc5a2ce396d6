//! Draws calls and what goes wrong in them. It knows links, devices and nodes, and nothing of how minutes are explained.

use railgun_peer::simulator::people::{Change, Person};
use railgun_peer::simulator::{LinkConfig, Loss, Queue, Rates};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// Calls, what changes in the second minute of the first of them, and what an operator is to be told: side, cause and
/// the person, if it is one's own.
#[derive(Debug)]
pub struct Drawn {
    pub rooms: Vec<Vec<Person>>,
    pub changes: VecDeque<(Duration, Change)>,
    pub faults: Vec<&'static str>,
    pub expected: BTreeSet<(String, String, Option<usize>)>,
}

/// Bits a second of the highest layer of a camera (`people::CAMERA`), which is what one who sees it is sent.
const CAMERA_TOP: f64 = 600_000.0;

#[derive(Clone, Copy, Debug)]
enum Fault {
    LossyUplink,
    NarrowUplink,
    UnevenUplink,
    CutOff,
    LossyDownlink,
    LateDownlink,
    NarrowDownlink,
    SlowNode,
    LossyRelay,
    LateRelay,
    SlowDevice,
    DeadMicrophone,
}

const FAULTS: [(Fault, &str); 12] = [
    (Fault::LossyUplink, "lossy uplink"),
    (Fault::NarrowUplink, "narrow uplink"),
    (Fault::UnevenUplink, "uneven uplink"),
    (Fault::CutOff, "cut off"),
    (Fault::LossyDownlink, "lossy downlink"),
    (Fault::LateDownlink, "late downlink"),
    (Fault::NarrowDownlink, "narrow downlink"),
    (Fault::SlowNode, "slow node"),
    (Fault::LossyRelay, "lossy relay"),
    (Fault::LateRelay, "late relay"),
    (Fault::SlowDevice, "slow device"),
    (Fault::DeadMicrophone, "dead microphone"),
];

fn millis(range: std::ops::Range<u64>, rng: &mut ChaCha12Rng) -> Duration {
    Duration::from_millis(rng.random_range(range))
}

fn link(delay: Duration, rng: &mut ChaCha12Rng) -> LinkConfig {
    LinkConfig {
        delay,
        jitter: millis(0..20, rng),
        loss: Loss::Random(rng.random_range(0.0..0.011)),
        ..LinkConfig::new(rng.random_range(12_000_000..80_000_000))
    }
}

fn person(rng: &mut ChaCha12Rng) -> Person {
    let delay = millis(4..100, rng);
    Person {
        up: link(delay, rng),
        down: link(delay, rng),
        is_relayed: rng.random_bool(0.25),
        has_camera: rng.random_bool(0.4),
        is_muted: rng.random_bool(0.2),
        cpu: rng.random_range(0.1..0.85),
        has_microphone: true,
    }
}

fn with_loss(link: &mut LinkConfig, loss: f64) {
    link.loss = if loss < 0.2 {
        Loss::Random(loss)
    } else {
        Loss::Bursts { begin: 0.05 * loss / (1.0 - loss), end: 0.05, lost: 1.0 }
    };
}

/// A bottleneck that other traffic of the household keeps full: packets wait and are lost at its tail.
fn fill(link: &mut LinkConfig, rng: &mut ChaCha12Rng) {
    link.rates = Rates::new(rng.random_range(3_000_000..8_000_000));
    link.queue = Queue::Time(millis(500..1_200, rng));
    // Several, begun one after another: of one alone the window may never grow again after its first loss.
    link.transfers = (0..4).map(|at| Duration::from_secs(2 * at)).collect();
}

/// Seed of a call with one fault, or with two if it is divisible by three.
pub fn draw(seed: u64) -> Drawn {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mut first: Vec<Person> = (0..rng.random_range(2..=5)).map(|_| person(&mut rng)).collect();
    // A call without a word is none.
    first[0].is_muted = false;
    let neighbours = rng.random_range(2..5);
    let quiet = |rng: &mut ChaCha12Rng| Person { has_camera: false, is_muted: false, ..person(rng) };
    let mut rooms = vec![first];
    rooms.extend((0..neighbours).map(|_| vec![quiet(&mut rng), quiet(&mut rng)]));
    let mut people: Vec<Person> = rooms.iter().flatten().cloned().collect();
    let (mut faults, mut expected, mut pauses) = (Vec::new(), BTreeSet::new(), None);
    let wanted = if seed.is_multiple_of(3) { 2 } else { 1 };
    while expected.len() < wanted {
        let (fault, name) = FAULTS[rng.random_range(0..FAULTS.len())];
        let place = rng.random_range(0..rooms[0].len());
        // Who is cut off tells nothing of a relay.
        let is_cut_off =
            |at: usize| expected.iter().any(|(_, cause, whose)| cause == "interrupted" && *whose == Some(at));
        let relays = people.iter().enumerate().filter(|(at, it)| it.is_relayed && !is_cut_off(*at)).count();
        let is_relayed = (0..rooms[0].len()).any(|at| people[at].is_relayed && !is_cut_off(at));
        let needs_relays = expected.iter().any(|(side, ..)| side == "relay");
        let talks = !people[place].is_muted;
        let sees = people[..rooms[0].len()]
            .iter()
            .enumerate()
            .filter(|(at, it)| *at != place && it.has_camera)
            .count();
        let hears = people[..rooms[0].len()].iter().enumerate().any(|(at, it)| at != place && !it.is_muted);
        let of = |side: &str, cause: &str, whose| (side.to_owned(), cause.to_owned(), whose);
        let named = match fault {
            Fault::LossyUplink if talks => of("senderUplink", "loss", Some(place)),
            Fault::NarrowUplink | Fault::UnevenUplink if talks => of("senderUplink", "delay", Some(place)),
            Fault::CutOff if !needs_relays || !people[place].is_relayed || relays > 2 => {
                of("senderUplink", "interrupted", Some(place))
            }
            Fault::LossyDownlink if hears => of("receiverDownlink", "loss", Some(place)),
            Fault::LateDownlink if hears => of("receiverDownlink", "delay", Some(place)),
            Fault::NarrowDownlink if sees > 0 => of("receiverDownlink", "bandwidth", Some(place)),
            Fault::SlowNode => of("node", "overload", None),
            // One session alone cannot tell a relay from its own link.
            Fault::LossyRelay if is_relayed && relays > 1 => of("relay", "loss", None),
            Fault::LateRelay if is_relayed && relays > 1 => of("relay", "delay", None),
            Fault::SlowDevice if people[place].has_camera => of("device", "cpu", Some(place)),
            Fault::DeadMicrophone if talks => of("device", "microphone", Some(place)),
            _ => continue,
        };
        // Two faults of one thing are one to whoever has to mend it.
        let is_same = |other: &(String, String, Option<usize>)| other.0 == named.0 && other.2 == named.2;
        let is_own =
            |other: &(String, String, Option<usize>)| other.1 == "interrupted" || named.1 == "interrupted";
        let hides = |other: &(String, String, Option<usize>)| {
            [&other.1, &named.1].iter().any(|it| *it == "microphone") && other.2 == named.2
        };
        if expected.iter().any(|it| is_same(it) || (it.2 == named.2 && is_own(it)) || hides(it)) {
            continue;
        }
        let person = &mut people[place];
        match fault {
            Fault::LossyUplink => with_loss(&mut person.up, rng.random_range(0.08..0.4)),
            Fault::NarrowUplink => fill(&mut person.up, &mut rng),
            Fault::UnevenUplink => person.up.jitter = millis(900..2_000, &mut rng),
            Fault::CutOff => {
                for link in [&mut person.up, &mut person.down] {
                    link.loss = Loss::Random(1.0);
                }
            }
            Fault::LossyDownlink => with_loss(&mut person.down, rng.random_range(0.08..0.4)),
            Fault::LateDownlink => person.down.jitter = millis(900..2_000, &mut rng),
            Fault::NarrowDownlink => {
                let share = rng.random_range(0.25..0.7);
                let needs = CAMERA_TOP * f64::from(u8::try_from(sees).expect("few"));
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate")]
                let rate = (needs * share) as u64;
                person.down.rates = Rates::new(rate.max(200_000));
            }
            Fault::SlowNode => pauses = Some(millis(90..500, &mut rng)),
            Fault::LossyRelay => {
                let loss = rng.random_range(0.08..0.3);
                for person in people.iter_mut().filter(|it| it.is_relayed) {
                    with_loss(&mut person.up, loss);
                    with_loss(&mut person.down, loss);
                }
            }
            Fault::LateRelay => {
                let (queue, uneven) = (millis(150..500, &mut rng), millis(300..900, &mut rng));
                for person in people.iter_mut().filter(|it| it.is_relayed) {
                    for link in [&mut person.up, &mut person.down] {
                        link.delay += queue;
                        link.jitter += uneven;
                    }
                }
            }
            Fault::SlowDevice => person.cpu = rng.random_range(1.1..2.5),
            Fault::DeadMicrophone => person.has_microphone = false,
        }
        faults.push(name);
        expected.insert(named);
    }
    let begins = Duration::from_secs(60) + millis(0..20_000, &mut rng);
    let changed = people.into_iter().enumerate().map(|(at, it)| (begins, Change::Person(at, Box::new(it))));
    let mut changes: VecDeque<_> = changed.collect();
    changes.extend(pauses.map(|pauses| (begins, Change::Pauses(pauses))));
    Drawn { rooms, changes, faults, expected }
}
