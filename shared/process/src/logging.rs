//! What no log may hold, whatever `RUST_LOG` says.

/// Crates whose details are the messages and headers they carry, tokens among them.
const CARRIERS: [&str; 5] = ["tungstenite", "tokio_tungstenite", "engineioxide", "socketioxide", "h2"];

/// Whether a line of this target (a module's path) may be logged; `is_detail`: it is below info.
pub fn may_be_logged(target: &str, is_detail: bool) -> bool {
    let name = target.split("::").next().unwrap_or_default();
    !(is_detail && CARRIERS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_what_carries_tokens_are_not_logged() {
        assert!(!may_be_logged("tungstenite::protocol", true));
        assert!(may_be_logged("tungstenite::protocol", false));
        assert!(may_be_logged("railgun_control::http::serve", true));
        assert!(may_be_logged("tungsteniteish", true));
    }
}
