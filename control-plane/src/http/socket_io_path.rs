//! Under which path requests are engine.io's.

pub(crate) const PATH: &str = "/socket.io";

pub(crate) fn is_engine_io(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
