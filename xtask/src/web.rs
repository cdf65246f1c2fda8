//! Builds the app: the core as a module for browsers, whichever way this machine allows, and the pages around it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};

use crate::step::{Step, root};

const TARGET: &str = "wasm32-unknown-unknown";
/// A folder of its own: another compiler may build here, and waits for nobody.
const BUILT: &str = "target/wasm";
/// The core with what plays random days, for the comparison with a native run.
const PLAYING: &str = "target/wasm/play";
const BOUND: &str = "target/wasm/bound";
/// Binaryen's optimiser, of the version that the app's packages pin: Debian 12's does not know all that the bindings use.
const SHRINKER: &str = "web/node_modules/binaryen/bin/wasm-opt";

/// A module for browsers.
struct Module {
    /// The package that is compiled.
    package: &'static str,
    /// What its files are called.
    name: &'static str,
    /// Where the app takes it from.
    into: &'static str,
}

/// The core, which every phone has.
const CORE: Module = Module {
    package: "web-wasm",
    name: "web_wasm",
    into: "web/src/core/pkg",
};
/// What reads lists, which is fetched when somebody imports one.
const LISTS: Module = Module {
    package: "web-lists",
    name: "web_lists",
    into: "web/src/lists/pkg",
};

/// What compiles for browsers here, and brings the standard library as source, to be built small.
enum Compiler {
    /// The one that compiles everything else.
    Own,
    /// Debian's.
    Debian,
}

/// Debian's way, by the packages that it needs and a file of each.
const DEBIAN: [(&str, &str); 4] = [
    ("rustc-web", "/usr/bin/rustc"),
    ("cargo-web", "/usr/bin/cargo"),
    ("rust-web-src", "/usr/lib/rustlib/src/rust/library/std"),
    ("lld-16", "/usr/bin/wasm-ld-16"),
];

/// A phone fetches the module over a bad line: the standard library is built for size, and what only a programmer would read (places in
/// sources, values printed for debugging, the words of a panic) is left out. A panic stops the module, and its stack trace says where.
const SMALL: &str =
    "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none";

/// What a build of the app lacks here, in a line; the builds themselves say it with every name.
pub(crate) fn missing() -> Option<&'static str> {
    let npm = npm(&["--version"]).works();
    let compiles = Compiler::here().is_ok();
    match (npm, compiles) {
        (false, _) => Some("needs Node 20.19 or newer, with npm"),
        (_, false) => Some(
            "needs Rust's own sources (rustup component add rust-src), or Debian's rustc-web cargo-web rust-web-src lld-16",
        ),
        (true, true) => None,
    }
}

impl Compiler {
    fn here() -> Result<Self> {
        let sysroot = Step::program("rustc", &["--print", "sysroot"]).output()?;
        let sources = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/std");
        if sources.is_dir() {
            return Ok(Self::Own);
        }
        let missing = DEBIAN
            .iter()
            .filter(|(_, file)| !Path::new(file).exists())
            .map(|(package, _)| *package);
        let missing: Vec<&str> = missing.collect();
        if missing.is_empty() {
            return Ok(Self::Debian);
        }
        bail!(
            "nothing here compiles for browsers: `rustup component add rust-src`, or Debian's packages: apt-get install {}",
            missing.join(" ")
        )
    }

    fn build(&self, package: &str, features: &[&str]) -> Step {
        let mut arguments = vec![
            "build",
            "--locked",
            "--package",
            package,
            "--profile",
            "wasm",
            "--target",
            TARGET,
            "--target-dir",
            BUILT,
            "-Zbuild-std=std,panic_abort",
            "-Zbuild-std-features=optimize_for_size",
        ];
        arguments.extend(features);
        let (step, flags) = match self {
            Self::Own => (Step::cargo(&arguments), SMALL.to_owned()),
            Self::Debian => {
                let step = Step::program("/usr/bin/cargo", &arguments)
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTDOC", "/usr/bin/rustdoc");
                (step, format!("-C linker=/usr/bin/wasm-ld-16 {SMALL}"))
            }
        };
        // The standard library is built as one's own program would be: by a compiler that may.
        step.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", flags)
    }
}

/// Builds the modules, and the app around them.
pub(crate) fn build() -> Result<bool> {
    Ok(packages()? && modules()? && npm(&["run", "build"]).stream()?)
}

/// Builds the modules into the app's sources.
pub(crate) fn modules() -> Result<bool> {
    if !root().join(SHRINKER).exists() && !packages()? {
        return Ok(false);
    }
    Ok(module(&CORE)? && module(&LISTS)?)
}

fn module(module: &Module) -> Result<bool> {
    let Some(compiled) = compiled(module, &[])? else {
        return Ok(false);
    };
    let Module { name, into, .. } = module;
    let (package, wasm) = (root().join(into), format!("{name}_bg.wasm"));
    let small = package.join(&wasm);
    if is_newer(&small, &compiled) {
        return Ok(true);
    }
    if !bind(&compiled, BOUND)? {
        return Ok(false);
    }
    let bound = root().join(BOUND);
    fs::create_dir_all(&package).context("cannot make the package's folder")?;
    for file in [format!("{name}.js"), format!("{name}.d.ts")] {
        fs::copy(bound.join(&file), package.join(&file))
            .with_context(|| format!("cannot copy {file}"))?;
    }
    // Last, so that what was broken off is begun anew.
    shrink(&bound.join(wasm), &small, name)
}

/// Builds the module that plays random days, and says where it is.
pub(crate) fn playing_module() -> Result<Option<PathBuf>> {
    let Some(compiled) = compiled(&CORE, &["--features", "testing"])? else {
        return Ok(None);
    };
    Ok(bind(&compiled, PLAYING)?.then(|| root().join(PLAYING)))
}

fn compiled(module: &Module, features: &[&str]) -> Result<Option<PathBuf>> {
    let built = Compiler::here()?.build(module.package, features).stream()?;
    let folder = root().join(BUILT).join(TARGET).join("wasm");
    Ok(built.then(|| folder.join(module.name).with_extension("wasm")))
}

/// Writes the JavaScript beside a module.
fn bind(module: &Path, folder: &str) -> Result<bool> {
    let module = module
        .to_str()
        .context("the workspace's path is not UTF-8")?;
    let arguments = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "xtask",
        "--features",
        "web",
        "--bin",
        "bindgen",
        "--target-dir",
        "target/tools",
        "--",
        module,
        folder,
    ];
    Step::cargo(&arguments).stream()
}

/// Makes a module small. What it may use is what the compiler uses, which every browser of the last years knows.
fn shrink(module: &Path, small: &Path, name: &str) -> Result<bool> {
    let not_text = "the workspace's path is not UTF-8";
    let (from, to) = (
        module.to_str().context(not_text)?,
        small.to_str().context(not_text)?,
    );
    // The name of each of its functions by number, as they stand in a stack trace.
    let symbols = format!("--symbolmap={BUILT}/{name}.symbols.txt");
    let arguments = [
        SHRINKER,
        "-Oz",
        // Nothing lives in the first kilobyte, the far end of the stack, and the module's memory is its own and begins as zeros.
        "--low-memory-unused",
        "--zero-filled-memory",
        // The names of functions stay behind, for stack traces from the field: they are a tenth of what would travel.
        &symbols,
        "--enable-bulk-memory",
        "--enable-multivalue",
        "--enable-mutable-globals",
        "--enable-nontrapping-float-to-int",
        "--enable-reference-types",
        "--enable-sign-ext",
        from,
        "-o",
        to,
    ];
    Step::program("node", &arguments).stream()
}

fn is_newer(made: &Path, from: &Path) -> bool {
    let modified = |path: &Path| -> Option<SystemTime> { fs::metadata(path).ok()?.modified().ok() };
    matches!((modified(made), modified(from)), (Some(made), Some(from)) if made >= from)
}

/// The browser that tests drive.
pub(crate) fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["chromium", "chromium-browser", "google-chrome"];
    let within = |folder: PathBuf| usual.map(|name| folder.join(name));
    let mut browsers = named
        .into_iter()
        .chain(std::env::split_paths(&path).flat_map(within));
    browsers.find(|browser| browser.is_file())
}

/// Puts the app's packages in place, unless they are.
pub(crate) fn packages() -> Result<bool> {
    // npm writes the second when it has installed what the first says.
    let (wanted, installed) = ("package-lock.json", "node_modules/.package-lock.json");
    let place = |name| root().join("web").join(name);
    if is_newer(&place(installed), &place(wanted)) {
        return Ok(true);
    }
    if !npm(&["--version"]).works() {
        bail!("needs Node 20.19 or newer, with npm (Debian: apt-get install nodejs npm)");
    }
    npm(&["ci", "--no-audit", "--no-fund"]).stream()
}

/// A command of the app's own packages.
pub(crate) fn npm(arguments: &[&str]) -> Step {
    Step::program("npm", arguments).within("web")
}
