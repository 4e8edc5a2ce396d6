//! What a run tells: its timeline, when that is wanted, and what broke a rule.

use crate::kernel::{millis, note};
use std::cell::{Cell, RefCell};

thread_local! {
    static IS_WANTED: Cell<bool> = const { Cell::new(false) };
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static BROKEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Begins anew.
pub(crate) fn begin(is_wanted: bool) {
    IS_WANTED.set(is_wanted);
    LINES.take();
    BROKEN.take();
    PANICS.take();
}

/// From now on a panic breaks a rule also where a runtime catches it, as that of a task is.
pub(crate) fn watch_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        // Whoever panics may have borrowed what the rest is kept in.
        _ = PANICS.try_with(|panics| {
            if let Ok(mut panics) = panics.try_borrow_mut() {
                panics.push(format!("Nothing panics: {panic}"));
            }
        });
    }));
}

/// A line of the timeline: who, and what. Also part of what two runs of a seed have to agree in.
pub(crate) fn tell(who: &str, what: impl FnOnce() -> String) {
    note(who.as_bytes());
    if IS_WANTED.get() {
        let at = millis();
        let line = format!("{:>4}.{:03} s  {who:<12} {}", at / 1000, at % 1000, what());
        LINES.with(|lines| lines.borrow_mut().push(line));
    }
}

/// A rule was broken. `rule` is the rule as it is written down.
pub(crate) fn broken(rule: &str, how: impl FnOnce() -> String) {
    BROKEN.with(|broken| {
        let mut broken = broken.borrow_mut();
        if broken.len() < 20 {
            let at = millis();
            let how = how();
            broken.push(format!("{}.{:03} s: {rule}: {how}", at / 1000, at % 1000));
        }
    });
    tell("RULE", || rule.to_owned());
}

pub(crate) fn is_broken() -> bool {
    BROKEN.with(|broken| !broken.borrow().is_empty()) || PANICS.with(|panics| !panics.borrow().is_empty())
}

/// The timeline, and what broke.
pub(crate) fn end() -> (Vec<String>, Vec<String>) {
    let mut broken = PANICS.take();
    broken.extend(BROKEN.take());
    (LINES.take(), broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_task_breaks_a_rule() {
        watch_panics();
        begin(false);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let ended = runtime.block_on(async { tokio::spawn(async { panic!("planted") }).await });
        assert!(ended.is_err() && is_broken());
        assert!(end().1[0].contains("planted"));
    }
}
