//! Writes the first inputs of each fuzz target to `tests/fuzz/seeds`, for a fuzzer.
#![forbid(unsafe_code)]

mod seeds;

use std::path::Path;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds");
    for (target, inputs) in seeds::all() {
        let folder = root.join(target);
        std::fs::create_dir_all(&folder)?;
        for (nth, input) in inputs.iter().enumerate() {
            std::fs::write(folder.join(format!("{nth:03}")), input)?;
        }
    }
    Ok(())
}
