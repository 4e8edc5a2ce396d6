//! A few of the calls that `cargo run --release -p railgun-explained -- --faults 200` judges.

use railgun_explained::Tally;

#[test]
fn drawn_faults_are_told_with_side_and_cause_and_nobody_is_blamed_for_sound_minutes() {
    let mut tally = Tally::default();
    tally.judge(1..13);
    println!("{tally}");
    assert_eq!(tally.blamed(), 0, "{tally}");
    assert!(10 * tally.right() >= 9 * tally.faulty(), "{tally}");
}
