//! Writes the JavaScript and the types beside a module that was compiled for the browser: `bindgen MODULE FOLDER`.
//!
//! A program of its own, so that the other chores need not wait for a WebAssembly toolkit to compile.

use anyhow::{Context as _, Result};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(module), Some(folder), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        anyhow::bail!("usage: bindgen MODULE FOLDER");
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(&module)
        .web(true)?
        .typescript(true)
        // The names are what a stack trace from the field consists of.
        .remove_name_section(false)
        .generate(&folder)
        .with_context(|| format!("cannot bind {module}"))
}
