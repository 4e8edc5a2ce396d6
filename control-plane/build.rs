//! Makes sure that the built page's folder is there, if empty, so that a page built later is noticed.

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=web/app/dist");
    std::fs::create_dir_all("web/app/dist")
}
