//! Administration at the command line: directly on the data folder, signed by the operator's key.
//!
//! A server may run on the same database meanwhile: it reads the registry's end anew in each unit of work.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use store::accounts::CodePurpose;
use sync_core::catalog::Catalogue;
use sync_core::id::{AssignmentId, Date, DeviceId, UserId};
use sync_core::limits;
use sync_core::registry::Standing;
use sync_core::sync::enrol::OneTimeCode;

use super::report::{self, ReportCommand};
use crate::admin::areas::{self, AreaFailure, AreaFilter};
use crate::admin::assignments::{self, AssignmentFilter, NewAssignment};
use crate::admin::catalogues::{self, PublishFailure};
use crate::admin::devices::{self, Cause, DeviceFilter, Taken};
use crate::admin::log;
use crate::admin::mandate::Word;
use crate::admin::users::{self, IssuedCode, UserFilter};
use crate::app;
use crate::catalogues::{FolderError, read_folder};
use crate::check::{self, Ground};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::context::App;
use crate::journals::refill::Restored;
use crate::journals::{kept, publish, refill};
use crate::random::Random;
use crate::session::founding::{self, Person};

/// What is administered.
#[derive(Debug, Subcommand)]
pub(super) enum Admin {
    /// Makes the first three administrators; each gets a code to set a password.
    Bootstrap(Bootstrap),
    /// Imports and lists areas.
    #[command(subcommand)]
    Area(AreaCommand),
    /// Makes, lists and disables accounts.
    #[command(subcommand)]
    User(UserCommand),
    /// Gives, ends and lists assignments.
    #[command(subcommand)]
    Assignment(AssignmentCommand),
    /// Lists devices and takes them out of use.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Lists catalogue versions.
    #[command(subcommand)]
    Catalogue(CatalogueCommand),
    /// Opens and closes the villages' public pages for reports, and draws the codes that lead there.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Says how the journals stand.
    #[command(subcommand)]
    Log(LogCommand),
}

/// Three people, for nobody may hold two of these offices.
#[derive(Debug, Args)]
pub(super) struct Bootstrap {
    /// 系统管理员, as `USER_NAME=DISPLAY_NAME`.
    #[arg(long, value_name = "NAMES")]
    system: String,
    /// 安全管理员.
    #[arg(long, value_name = "NAMES")]
    security: String,
    /// 审计管理员.
    #[arg(long, value_name = "NAMES")]
    audit: String,
}

#[derive(Debug, Subcommand)]
pub(super) enum AreaCommand {
    /// Imports a CSV file with the columns `code,name,level,parent_code`: all of it, or nothing.
    Import {
        /// The file.
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Lists areas: the highest, those in another, or those with a text in their name.
    List {
        /// Directly in this area (id or code).
        #[arg(long)]
        parent: Option<String>,
        /// With this in the name, or a code that begins so.
        #[arg(long)]
        text: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Makes an account and prints a code with which the person sets a password.
    Add {
        /// What the person logs in with.
        user_name: String,
        /// What others call the person.
        display_name: String,
    },
    /// Lists accounts.
    List {
        /// With this in the display name, or as the user name.
        #[arg(long)]
        text: Option<String>,
    },
    /// Disables an account.
    Disable {
        /// The person, by id or user name.
        user: String,
    },
    /// Prints a one-time code for a person.
    Code {
        /// The person, by id or user name.
        user: String,
        #[command(flatten)]
        purpose: Purpose,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Purpose {
    /// To enrol a device.
    #[arg(long)]
    enrol: bool,
    /// To set a password.
    #[arg(long)]
    password: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum AssignmentCommand {
    /// Gives a person a role for an area and all that lies in it.
    Give {
        /// The person, by id or user name.
        user: String,
        /// A role of the catalogue, such as FS.
        role: String,
        /// The area, by id or code; without one the whole deployment, for administrators only.
        area: Option<String>,
        /// The first day [default: today].
        #[arg(long)]
        from: Option<Date>,
        /// The last day.
        #[arg(long)]
        to: Option<Date>,
        /// The unit that sends the person.
        #[arg(long)]
        sent_by: Option<String>,
    },
    /// Ends an assignment.
    End {
        /// The assignment.
        id: AssignmentId,
        /// The last day [default: today].
        #[arg(long)]
        to: Option<Date>,
        /// It is taken away for cause: work received later does not count.
        #[arg(long)]
        for_cause: bool,
    },
    /// Lists assignments with their dates, ended ones too.
    List {
        /// In this area (id or code) and what lies in it.
        #[arg(long)]
        area: Option<String>,
        /// Of this person, by id or user name.
        #[arg(long)]
        user: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DeviceCommand {
    /// Lists devices.
    List {
        /// Of this person, by id or user name.
        #[arg(long)]
        user: Option<String>,
    },
    /// Suspends a device, until it enrols in place with a new key.
    Suspend(TakenDevice),
    /// Revokes a device for good.
    Revoke(TakenDevice),
}

#[derive(Debug, Args)]
pub(super) struct TakenDevice {
    /// The device.
    id: DeviceId,
    /// Why.
    #[arg(long)]
    cause: Cause,
}

#[derive(Debug, Subcommand)]
pub(super) enum CatalogueCommand {
    /// Lists the published versions.
    List,
    /// Publishes another version, from a folder as `catalog/` is: record kinds, roles, deadlines of a province, the calendar. Without one,
    /// the version that this program ships. Every mistake is named, and then nothing is published. Stop the server first.
    Publish {
        /// The folder.
        folder: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Says how the journals stand.
    Status,
    /// Reads everything, proves what entries prove, and holds the rest of the database against them: exit code 0 if all agrees. A running
    /// server may be asked, and goes on.
    Check,
    /// Begins a new epoch of a log whose database is behind what was signed and cannot be refilled: what is missing stays lost,
    /// and every auditor sees that and why. Stop the server first.
    Reopen {
        /// Why.
        #[arg(long)]
        reason: String,
        /// An older copy of the database was restored: it may lack what was received after the last checkpoint, though it bears that.
        /// Say so before the server starts again, or phones that saw more stay beyond it.
        #[arg(long)]
        restored: bool,
    },
}

impl ValueEnum for Cause {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(self.name().into())
    }
}

/// Does what was asked for, and prints what came of it.
pub(super) fn run(config: Config, admin: Admin, out: &mut impl Write) -> anyhow::Result<()> {
    let runtime = super::runtime()?;
    runtime.block_on(async {
        let app = app::assemble(config, Arc::new(SystemClock::start()), Random::system()).await?;
        if app.kept().behind().is_some() && !matches!(admin, Admin::Log(_)) {
            bail!("the database is behind the last signed checkpoint; see `zhucun log status`");
        }
        let founded = app.store().read().await?.has_accounts().await?;
        if !founded && !matches!(admin, Admin::Bootstrap(_)) {
            bail!("there are no administrators yet; begin with `zhucun bootstrap`");
        }
        match admin {
            Admin::Bootstrap(people) => bootstrap(&app, &people, out).await,
            Admin::Area(command) => area(&app, command, out).await,
            Admin::User(command) => user(&app, command, out).await,
            Admin::Assignment(command) => assignment(&app, command, out).await,
            Admin::Device(command) => device(&app, command, out).await,
            Admin::Catalogue(CatalogueCommand::List) => list_catalogues(&app, out).await,
            Admin::Catalogue(CatalogueCommand::Publish { folder }) => {
                publish_catalogue(&app, folder.as_deref(), out).await
            }
            Admin::Report(command) => report::run(&app, command, out).await,
            Admin::Log(LogCommand::Status) => log_status(&app, out).await,
            Admin::Log(LogCommand::Check) => log_check(&app, out).await,
            Admin::Log(LogCommand::Reopen { reason, restored }) => {
                let restored = if restored {
                    Restored::Yes
                } else {
                    Restored::NotSaid
                };
                reopen(&app, &reason, restored, out).await
            }
        }
    })
}

async fn bootstrap(app: &App, people: &Bootstrap, out: &mut impl Write) -> anyhow::Result<()> {
    let person = |names: &str| {
        let (user_name, display_name) = names
            .split_once('=')
            .context("write USER_NAME=DISPLAY_NAME")?;
        anyhow::Ok(Person::named(user_name, display_name)?)
    };
    let people = [
        person(&people.system)?,
        person(&people.security)?,
        person(&people.audit)?,
    ];
    for founder in founding::found_as_operator(app, people).await? {
        let code = founder.code.as_ref().map(OneTimeCode::reveal);
        let (role, user) = (founder.office.role(), founder.user);
        writeln!(out, "{role}\t{user}\t{}", code.unwrap_or_default())?;
    }
    Ok(())
}

async fn area(app: &App, command: AreaCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        AreaCommand::Import { file, dry_run } => {
            let text =
                fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            let imported = match areas::import(app, Word::Operator, &text, dry_run).await {
                Err(AreaFailure::Mistakes(mistakes)) => {
                    for mistake in &mistakes {
                        writeln!(out, "{}: {mistake}", file.display())?;
                    }
                    bail!("nothing was imported: correct these lines and import the file again");
                }
                other => other?,
            };
            let done = if dry_run { "would be " } else { "" };
            writeln!(
                out,
                "{} {done}added, {} {done}renamed, {} unchanged; {} journals {done}made",
                imported.added, imported.renamed, imported.unchanged, imported.journals
            )?;
        }
        AreaCommand::List { parent, text } => {
            let mut filter = AreaFilter {
                parent,
                text,
                after: None,
            };
            loop {
                let (page, more) = areas::list(app, Word::Operator, &filter).await?;
                for listed in &page {
                    let (level, name) = (listed.area.level, listed.area.name());
                    let code = listed.area.latest().map(|(code, _)| code.to_string());
                    let (code, id) = (code.unwrap_or_default(), listed.id);
                    writeln!(out, "{code}\t{level}\t{id}\t{name}")?;
                }
                if !more {
                    break;
                }
                let last = page.last().and_then(|listed| listed.area.latest());
                filter.after = last.map(|(code, _)| *code);
            }
        }
    }
    Ok(())
}

/// The person with this id or user name.
async fn user_of(app: &App, text: &str) -> anyhow::Result<UserId> {
    if let Ok(user) = text.parse() {
        return Ok(user);
    }
    let name = text.parse()?;
    let account = app.store().read().await?.account_named(&name).await?;
    let account = account.context("nobody has this user name")?;
    Ok(account.user)
}

fn write_code(out: &mut impl Write, issued: &IssuedCode) -> std::io::Result<()> {
    let (code, until) = (issued.code.reveal(), issued.expires_at);
    writeln!(out, "{code}\tgood once, until {until}")
}

async fn user(app: &App, command: UserCommand, out: &mut impl Write) -> anyhow::Result<()> {
    match command {
        UserCommand::Add {
            user_name,
            display_name,
        } => {
            let person = Person::named(&user_name, &display_name)?;
            let (user, code) = users::add(app, Word::Operator, person).await?;
            writeln!(out, "{user}")?;
            write_code(out, &code)?;
        }
        UserCommand::List { text } => {
            let mut filter = UserFilter { text, after: None };
            loop {
                let (page, more) = users::list(app, Word::Operator, &filter).await?;
                for listed in &page {
                    let state = if listed.active { "active" } else { "disabled" };
                    let (user, login) = (listed.user, listed.user_name.as_str());
                    writeln!(out, "{user}\t{login}\t{state}\t{}", listed.display_name.0)?;
                }
                if !more {
                    break;
                }
                filter.after = page.last().map(|listed| listed.user);
            }
        }
        UserCommand::Disable { user } => {
            users::disable(app, Word::Operator, user_of(app, &user).await?).await?;
        }
        UserCommand::Code { user, purpose } => {
            let user = user_of(app, &user).await?;
            let purpose = if purpose.enrol {
                CodePurpose::EnrolDevice
            } else {
                CodePurpose::SetPassword
            };
            let code = users::issue_code(app, Word::Operator, user, purpose).await?;
            write_code(out, &code)?;
        }
    }
    Ok(())
}

async fn assignment(
    app: &App,
    command: AssignmentCommand,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match command {
        AssignmentCommand::Give {
            user,
            role,
            area,
            from,
            to,
            sent_by,
        } => {
            let new = NewAssignment {
                user: user_of(app, &user).await?,
                role,
                area,
                from,
                to,
                sent_by,
            };
            let id = assignments::give(app, Word::Operator, new).await?;
            writeln!(out, "{id}")?;
        }
        AssignmentCommand::End { id, to, for_cause } => {
            assignments::end(app, Word::Operator, id, to, for_cause).await?;
        }
        AssignmentCommand::List { area, user } => {
            let user = match user {
                Some(user) => Some(user_of(app, &user).await?),
                None => None,
            };
            let filter = AssignmentFilter {
                area,
                user,
                after: None,
            };
            list_assignments(app, filter, out).await?;
        }
    }
    Ok(())
}

async fn list_assignments(
    app: &App,
    mut filter: AssignmentFilter,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    loop {
        let (page, more) = assignments::list(app, Word::Operator, &filter).await?;
        for listed in &page {
            let held = &listed.assignment;
            let to = held.to.map_or_else(String::new, |to| to.to_string());
            let area = listed.area_name.as_deref().unwrap_or("(whole deployment)");
            let cause = if held.for_cause { "\tfor cause" } else { "" };
            let (id, user, role, from) = (listed.id, held.user, &held.role, held.from);
            writeln!(out, "{id}\t{user}\t{role}\t{from}..{to}\t{area}{cause}")?;
        }
        if !more {
            return Ok(());
        }
        filter.after = page.last().map(|listed| listed.id);
    }
}

async fn device(app: &App, command: DeviceCommand, out: &mut impl Write) -> anyhow::Result<()> {
    let (taken, how) = match command {
        DeviceCommand::List { user } => {
            let user = match user {
                Some(user) => Some(user_of(app, &user).await?),
                None => None,
            };
            return list_devices(app, DeviceFilter { user, after: None }, out).await;
        }
        DeviceCommand::Suspend(taken) => (taken, Taken::Suspended),
        DeviceCommand::Revoke(taken) => (taken, Taken::Revoked),
    };
    devices::take(app, Word::Operator, taken.id, how, taken.cause).await?;
    Ok(())
}

async fn list_devices(
    app: &App,
    mut filter: DeviceFilter,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    loop {
        let (page, more) = devices::list(app, Word::Operator, &filter).await?;
        for listed in &page {
            let standing = match listed.standing {
                Standing::Active => "active",
                Standing::Suspended => "suspended",
                Standing::Revoked => "revoked",
            };
            let (device, user, label) = (listed.device, listed.user, &listed.label);
            writeln!(out, "{device}\t{user}\t{standing}\t{label}")?;
        }
        if !more {
            return Ok(());
        }
        filter.after = page.last().map(|listed| listed.device);
    }
}

async fn list_catalogues(app: &App, out: &mut impl Write) -> anyhow::Result<()> {
    for listed in catalogues::list(app, Word::Operator).await? {
        let (version, from) = (listed.version, listed.published.from);
        let force = if listed.in_force { "in force" } else { "" };
        writeln!(
            out,
            "{version}\t{from}\t{}\t{force}",
            listed.published.digest
        )?;
    }
    Ok(())
}

async fn publish_catalogue(
    app: &App,
    folder: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let catalogue = match folder.map(read_folder) {
        None => Catalogue::builtin(),
        Some(Err(FolderError::Mistakes(mistakes))) => {
            for mistake in &mistakes {
                writeln!(out, "{mistake}")?;
            }
            bail!("nothing was published: correct these lines and publish the folder again");
        }
        Some(read) => read?,
    };
    match catalogues::publish(app, &catalogue).await {
        Err(PublishFailure::Obstacles(obstacles)) => {
            for obstacle in &obstacles {
                writeln!(out, "{obstacle}")?;
            }
            bail!(
                "nothing was published: names stay, types stay, and `version` in catalogue.toml grows"
            );
        }
        published => published?,
    }
    writeln!(out, "{}\t{}", catalogue.version(), catalogue.digest())?;
    Ok(())
}

async fn reopen(
    app: &App,
    reason: &str,
    restored: Restored,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if reason.trim().is_empty() || reason.chars().count() > limits::REASON_CHARS_MAX {
        bail!(
            "say why, in at most {} characters",
            limits::REASON_CHARS_MAX
        );
    }
    refill::reopen(app, reason, restored).await?;
    publish::publish(app).await?;
    writeln!(
        out,
        "the log goes on in a new epoch; phones bring anew what they wrote after it"
    )?;
    Ok(())
}

async fn log_check(app: &App, out: &mut impl Write) -> anyhow::Result<()> {
    let checked = check::check(&Ground::of(app), app.store()).await?;
    writeln!(out, "journals     {}", checked.journals)?;
    writeln!(out, "entries      {}", checked.entries)?;
    writeln!(out, "records      {}", checked.records)?;
    writeln!(out, "leaves       {}", checked.leaves)?;
    for disagreement in &checked.disagreements {
        writeln!(out, "DISAGREES    {disagreement}")?;
    }
    match checked.disagreements.len() {
        0 => Ok(writeln!(out, "everything agrees")?),
        count => bail!("{count} places of the database are not what its entries say"),
    }
}

async fn log_status(app: &App, out: &mut impl Write) -> anyhow::Result<()> {
    let status = log::status(app).await?;
    writeln!(out, "deployment   {}", app.deployment())?;
    writeln!(
        out,
        "registry     {} {}",
        status.registry.seq, status.registry.head
    )?;
    match status.checkpoint {
        Some(checkpoint) => writeln!(
            out,
            "checkpoint   {} leaves, signed {}",
            checkpoint.size, checkpoint.signed_at
        )?,
        None => writeln!(out, "checkpoint   none yet; a running server signs one")?,
    }
    if let Some(size) = status.kept {
        writeln!(out, "kept         {size} leaves, in {}", kept::FILE)?;
    }
    if let Some(behind) = status.behind {
        writeln!(
            out,
            "BEHIND       the database has {} of {} signed leaves, or others: nothing is admitted until phones have given back what is missing; or restore a newer copy, or `zhucun log reopen`",
            behind.here, behind.signed
        )?;
    }
    writeln!(out, "unpublished  {} journals", status.unpublished)?;
    writeln!(out, "unfolded     {} journals", status.unfolded)?;
    Ok(())
}
