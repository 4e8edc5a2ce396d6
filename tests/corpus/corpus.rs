//! Each fuzz target with each input of its corpus once, and with a few inputs made of its seeds: on a stable
//! compiler, without libFuzzer.
#![forbid(unsafe_code)]

mod seeds;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::thread;

/// What a fuzzer found on the way, and what it found to be wrong; both are local to a machine.
const FOLDERS: [&str; 2] = ["corpus", "artifacts"];
/// Inputs made of each seed, by the same changes each time.
const CHANGED_PER_SEED: u64 = 2000;
/// As `run.sh` tells the fuzzer.
const LEN_MAX: usize = 4096;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// One to four bytes set, a cut, or a stretch of another input.
fn changed(input: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut below = |bound: usize| usize::try_from(rng.next_u64() % bound.max(1) as u64).expect("an index");
    let mut input = input.to_vec();
    match below(4) {
        0 => input.truncate(below(input.len() + 1)),
        1 => {
            let (at, from) = (below(input.len() + 1), below(other.len() + 1));
            input.splice(at..at, other[from..].iter().copied().take(64));
        }
        _ => {
            for _ in 0..=below(4) {
                let at = below(input.len());
                let byte = u8::try_from(below(256)).expect("a byte");
                if let Some(place) = input.get_mut(at) {
                    *place = byte;
                }
            }
        }
    }
    input.truncate(LEN_MAX);
    input
}

/// Names the input that fails, so that it can be run again alone.
fn passes(target: &str, check: fn(&[u8]), name: &str, input: &[u8]) -> bool {
    let passed = catch_unwind(|| check(input)).is_ok();
    if !passed {
        let digits: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        eprintln!("{target} fails with {name}: {digits}");
    }
    passed
}

/// How many inputs were run, and how many of them failed.
fn replay(target: &str, check: fn(&[u8]), seeds: &[Vec<u8>]) -> (usize, usize) {
    let mut name = [0; 32];
    name.iter_mut().zip(target.bytes()).for_each(|(to, from)| *to = from);
    let mut rng = ChaCha8Rng::from_seed(name);
    let (mut runs, mut failed) = (0, 0);
    let mut run = |name: &str, input: &[u8]| {
        runs += 1;
        failed += usize::from(!passes(target, check, name, input));
    };
    for (nth, seed) in seeds.iter().enumerate() {
        run(&format!("seed {nth}"), seed);
        for change in 0..CHANGED_PER_SEED {
            let other = &seeds[usize::try_from(rng.next_u64() % seeds.len() as u64).expect("an index")];
            run(&format!("seed {nth}, change {change}"), &changed(seed, other, &mut rng));
        }
    }
    for path in FOLDERS.iter().flat_map(|folder| files(&root().join(folder).join(target))) {
        run(&path.display().to_string(), &fs::read(&path).expect("an input"));
    }
    (runs, failed)
}

#[test]
fn every_fuzz_target_holds_for_its_corpus_and_changes_of_its_seeds() {
    let seeds: BTreeMap<&str, Vec<Vec<u8>>> = seeds::all().into();
    let replays: Vec<_> = railgun_fuzz::TARGETS
        .iter()
        .map(|(target, check)| {
            let seeds = seeds.get(target).filter(|seeds| !seeds.is_empty()).cloned();
            let seeds = seeds.unwrap_or_else(|| panic!("no seeds for {target}"));
            (target, thread::spawn(move || replay(target, *check, &seeds)))
        })
        .collect();
    let mut wrong = Vec::new();
    for (target, replay) in replays {
        let (runs, failed) = replay.join().expect("a replay");
        println!("{target}: {runs} inputs, {failed} failed");
        if failed > 0 {
            wrong.push(*target);
        }
    }
    assert!(wrong.is_empty(), "targets that fail: {wrong:?}");
}

#[test]
fn every_program_of_the_fuzzer_and_every_list_of_seeds_belongs_to_a_target() {
    let programs = files(&root().join("fuzz_targets"));
    let programs: BTreeSet<_> = programs.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    let targets: BTreeSet<_> = railgun_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(programs, targets);
    assert_eq!(seeds::all().iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(), targets);
}
