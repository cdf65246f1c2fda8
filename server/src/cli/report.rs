//! `zhucun report`: opens the villages' public pages (一键报贫), and draws the codes that lead there.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use axum::http::Uri;
use clap::Subcommand;
use maud::{PreEscaped, html};
use qrcode::render::unicode::Dense1x2;
use qrcode::{Color, EcLevel, QrCode};
use sync_core::id::AreaId;

use crate::admin::areas;
use crate::context::App;
use crate::reports;

#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Opens the page of a village, or of every village of a county.
    Open {
        /// The area, by id or code.
        area: String,
    },
    /// Closes what was opened for an area, at once.
    Close {
        /// The area, by id or code.
        area: String,
    },
    /// Prints the address of a village's page, and a code that leads there.
    Qr {
        /// The village, by id or code.
        village: String,
        /// Where people reach this server, as `https://zhucun.example`.
        #[arg(long, value_name = "URL")]
        address: String,
        /// Draws a poster into this file as well.
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
}

/// Does what was asked for, and prints what came of it.
pub(super) async fn run(
    app: &App,
    command: ReportCommand,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        ReportCommand::Open { area } => {
            let assignment = reports::open(app, &area).await?;
            writeln!(out, "{assignment}")?;
        }
        ReportCommand::Close { area } => {
            let (area, _) = find(app, &area).await?;
            reports::close(app, area).await?;
        }
        ReportCommand::Qr {
            village,
            address,
            svg,
        } => {
            let (area, name) = find(app, &village).await?;
            let page = page(app, area, &address).await?;
            let code = QrCode::with_error_correction_level(&page, EcLevel::M)?;
            if let Some(file) = &svg {
                write_poster(file, &name, &page, &code)?;
            }
            // Terminals are dark: what is light in the code is what is drawn.
            let drawn = code
                .render::<Dense1x2>()
                .dark_color(Dense1x2::Light)
                .light_color(Dense1x2::Dark)
                .build();
            writeln!(out, "{page}\n{drawn}")?;
        }
    }
    Ok(())
}

async fn find(app: &App, text: &str) -> anyhow::Result<(AreaId, String)> {
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    let registry = &registered.registry;
    let area = areas::find(registry, text).context("there is no such area")?;
    let name = registry.areas.get(&area).map(|area| area.name().to_owned());
    Ok((area, name.unwrap_or_default()))
}

/// The address of a village's page, if it is open.
async fn page(app: &App, area: AreaId, address: &str) -> anyhow::Result<String> {
    let address = address.trim_end_matches('/');
    let uri: Uri = address
        .parse()
        .context("write the address as `https://zhucun.example`")?;
    let is_whole = matches!(uri.scheme_str(), Some("https" | "http")) && uri.query().is_none();
    if !is_whole || uri.authority().is_none() {
        bail!("write the address as `https://zhucun.example`");
    }
    let mut unit = app.store().read().await?;
    let registered = app.registrar().current(&mut *unit).await?;
    let today = app.clock().now().date();
    let journal = reports::page_of(&registered.registry, area, today);
    let journal = journal.context("this is no village: a page is one village's")?;
    let catalogue = reports::catalogue_in_force(app, &registered.registry, today);
    let village = catalogue.and_then(|catalogue| {
        let desk = app.desk();
        desk.village(&registered.registry, catalogue, journal, today)
    });
    village.context("the page of this village is not open; `zhucun report open` opens it")?;
    Ok(format!("{address}/report/{journal}"))
}

/// How much stays white around a code, in its squares; scanners need it.
const MARGIN: usize = 4;

/// A poster of one code, to be printed at any size.
fn write_poster(file: &Path, village: &str, page: &str, code: &QrCode) -> anyhow::Result<()> {
    let width = code.width();
    let colors = code.to_colors();
    let dark = colors
        .iter()
        .enumerate()
        .filter(|(_, color)| **color == Color::Dark);
    let squares: String = dark
        .map(|(at, _)| format!("M{} {}h1v1h-1z", at % width + MARGIN, at / width + MARGIN))
        .collect();
    let side = width + 2 * MARGIN;
    let middle = format!("{}", side / 2);
    let line = |below: usize| format!("{}", side + below);
    let poster = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {side} {}", side + 16))
            font-family="sans-serif" text-anchor="middle" {
            rect width="100%" height="100%" fill="#fff" {}
            path d=(squares) fill="#000" {}
            text x=(middle) y=(line(2)) font-size="4" font-weight="bold" { (village) " 一键报贫" }
            text x=(middle) y=(line(7)) font-size="2.2" { "哪家遇到难处，扫一扫告诉村里" }
            text x=(middle) y=(line(10)) font-size="1.6" { "Scan to report a household in need" }
            text x=(middle) y=(line(13)) font-size="1" { (page) }
        }
    };
    let poster = html! { (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")) (poster) };
    std::fs::write(file, poster.into_string())
        .with_context(|| format!("{} cannot be written", file.display()))
}
