//! The app: what a browser loads once, keeps, and starts from without a network. It comes from the same address as the data, so that
//! one program is the whole installation and no store of apps stands between.
//!
//! It asks nothing of anybody else: no script, style, font or picture from another address is ever loaded, and no script runs that was
//! not built with it.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use memory_serve::{CacheControl, MemoryServe};

/// What the app may do. Beyond files of its own it compiles the core; photographs and voice are shown from memory.
const APP_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; \
     img-src 'self' blob: data:; media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types vue zhucun";

/// What its pages may ask their person for; nothing else, and no page within them.
const PERMISSIONS: &str =
    "camera=(self), microphone=(self), geolocation=(self), payment=(), usb=(), bluetooth=()";

/// Files whose names tell their content lie here: whoever has one never asks again.
const HASHED: &str = "/assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";

/// The app's files, each at its own path, compressed when the program was built.
pub fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let files: MemoryServe = memory_serve::load!();
    files
        .index_file(Some("/index.html"))
        // A new version is noticed at once; of what it consists of, only what changed is fetched.
        .html_cache_control(CacheControl::NoCache)
        .cache_control(CacheControl::NoCache)
        .into_router()
        .layer(middleware::from_fn(headers))
}

async fn headers(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_hashed = path.starts_with(HASHED);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let of = headers.get(header::CONTENT_TYPE);
    let of = of.map(|of| of.as_bytes().to_owned()).unwrap_or_default();
    let (is_page, is_script) = (
        of.starts_with(b"text/html"),
        of.starts_with(b"text/javascript"),
    );
    let mut say = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    // What a page loads lives under the page's policy; a worker, under its own, and any script may be one.
    if is_page || is_script {
        say(header::CONTENT_SECURITY_POLICY, APP_POLICY);
    }
    if is_page {
        say(HeaderName::from_static("permissions-policy"), PERMISSIONS);
        // Keeps it apart from other pages that its person has open.
        say(
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        );
    }
    if is_hashed {
        say(header::CACHE_CONTROL, FOREVER);
    }
    response
}
