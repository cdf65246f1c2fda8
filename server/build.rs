//! Takes the built app into the program. In a checkout where it was not built yet, a page that says how stands in its place.

use std::path::{Path, PathBuf};
use std::{env, fs};

const BUILT: &str = "../web/dist";
const NOT_BUILT: &str = "src/routes/web/not_built.html";

fn main() {
    println!("cargo::rerun-if-changed={BUILT}");
    println!("cargo::rerun-if-changed={NOT_BUILT}");
    let built = Path::new(BUILT);
    if built.join("index.html").is_file() {
        memory_serve::load_directory(BUILT);
        return;
    }
    let out = env::var_os("OUT_DIR").expect("cargo says where build scripts write");
    let folder = PathBuf::from(out).join("not_built");
    fs::create_dir_all(&folder).expect("the folder of build scripts can be written");
    fs::copy(NOT_BUILT, folder.join("index.html"))
        .expect("the folder of build scripts can be written");
    memory_serve::load_directory(folder);
}
