//! Settings: from a file, the environment and flags, each overriding the one before; what is not a setting is refused.
//!
//! Every setting has a default that is safe on a laptop, and the bounds of its type, so a value that parses can be used.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::{Table, Value};

/// The file that is read from the working directory when no other is named.
pub const DEFAULT_FILE: &str = "zhucun.toml";
/// Every variable of the environment that begins so must be a setting.
pub const VARIABLE_PREFIX: &str = "ZHUCUN_";
/// Names the configuration file; the only variable that is not a setting.
pub const FILE_VARIABLE: &str = "ZHUCUN_CONFIG";

/// All settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The address to listen on. Port 0 lets the system choose one, which is printed.
    pub listen: SocketAddr,
    /// Where everything is kept: the database, the keys, the blobs.
    pub data_dir: PathBuf,
    /// The number under which the authorities have filed this service (备案号); the app shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filing_number: Option<String>,
    /// Proxies whose `X-Forwarded-For` is believed. Throttling goes by the client's address, so name yours, and only yours.
    pub trusted_proxies: Vec<IpAddr>,
    /// Connections served at one time; more wait. Keep it below the number of files that the process may open.
    pub connections: Within<1, 1_000_000>,
    /// How long a client may take to send a request's headers, how long a body may stand still, and how long a connection may lie idle
    /// between two requests.
    pub header_seconds: Within<1, 600>,
    /// How long requests under way may go on once the server was told to stop.
    pub shutdown_seconds: Within<0, 600>,
    /// What is logged, and how.
    pub log: Log,
    /// Who may read the metrics.
    pub metrics: Metrics,
    /// How passwords are hashed.
    pub passwords: Passwords,
    /// How long people stay signed in.
    pub sessions: Sessions,
    /// The villages' public pages (一键报贫).
    pub reports: Reports,
}

/// What is logged, and how.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// How a line is written.
    pub format: LogFormat,
    /// Which lines are written, as `level` or `target=level,…`.
    pub filter: LogFilter,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Who may read the metrics.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// When set, `GET /metrics` wants it as a bearer token.
    #[serde(serialize_with = "redacted")]
    pub token: Option<SecretString>,
}

/// How passwords are hashed: Argon2id, one lane.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// Memory of one hash.
    pub memory_mib: Within<19, 1024>,
    /// Passes over that memory.
    pub passes: Within<2, 20>,
    /// Hashes computed at one time: with `memory_mib` the most memory that log-ins can take.
    pub at_once: Within<1, 64>,
    /// Requests that may wait for their turn; further ones are told to come back.
    pub waiting: Within<1, 10_000>,
}

/// How long people stay signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Who issues access tokens (`iss`).
    pub issuer: String,
    /// Whom access tokens are for (`aud`).
    pub audience: String,
    /// Life of an access token.
    pub access_minutes: Within<1, 60>,
    /// How long a device may stay away before its person logs in again. What it recorded stays on it meanwhile.
    pub device_idle_days: Within<1, 365>,
    /// When the person at a device logs in again in any case.
    pub device_days: Within<1, 730>,
    /// How long a browser may stay idle.
    pub browser_idle_minutes: Within<1, 1_440>,
    /// When the person at a browser logs in again in any case.
    pub browser_hours: Within<1, 168>,
}

/// The villages' public pages (一键报贫). Who is held up by a limit is told whom to call instead.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reports {
    /// Reports from one address: so many at once, and so many an hour after that. Many phones of a place can have one address.
    pub an_hour_by_address: Within<1, 100_000>,
    /// Reports for one village, likewise.
    pub an_hour_by_village: Within<1, 100_000>,
    /// The telephone that the pages name, beside the village committee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telephone: Option<String>,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            an_hour_by_address: Within(20),
            an_hour_by_village: Within(200),
            telephone: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            data_dir: PathBuf::from("./zhucun-data"),
            filing_number: None,
            trusted_proxies: Vec::new(),
            connections: Within(900),
            header_seconds: Within(30),
            shutdown_seconds: Within(20),
            log: Log::default(),
            metrics: Metrics::default(),
            passwords: Passwords::default(),
            sessions: Sessions::default(),
            reports: Reports::default(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Pretty,
            filter: LogFilter("info".to_owned()),
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            memory_mib: Within(19),
            passes: Within(2),
            at_once: Within(2),
            waiting: Within(64),
        }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            issuer: "zhucun".to_owned(),
            audience: "zhucun-api".to_owned(),
            access_minutes: Within(10),
            device_idle_days: Within(30),
            device_days: Within(180),
            browser_idle_minutes: Within(30),
            browser_hours: Within(12),
        }
    }
}

/// A whole number between two bounds, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Within<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Within<MIN, MAX> {
    /// The number, if it lies between the bounds.
    pub const fn new(number: u32) -> Option<Self> {
        if MIN <= number && number <= MAX {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let within = u32::try_from(number).ok().and_then(Self::new);
        within.ok_or_else(|| {
            D::Error::custom(format!(
                "{number} is out of bounds, expected {MIN} to {MAX}"
            ))
        })
    }
}

/// A filter that `tracing` understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct LogFilter(String);

impl LogFilter {
    /// The filter's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for LogFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(D::Error::custom(
                "not a log filter, expected `info` or `warn,server=debug`, for example",
            )),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn redacted<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "<redacted>").serialize(serializer)
}

/// Settings given on the command line; they override all others.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// The configuration file [default: zhucun.toml, if it exists].
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The address to listen on; port 0 lets the system choose.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where everything is kept.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
    /// How log lines are written.
    #[arg(long, global = true, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// A mistake in the settings: where it is, what it is, and how to put it right.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// `zhucun.toml:3`, or the name of a variable.
    pub place: String,
    /// What is wrong.
    pub mistake: String,
    /// What to do about it.
    pub remedy: String,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}\n  remedy: {}",
            self.place, self.mistake, self.remedy
        )
    }
}

impl Config {
    /// Reads the settings: defaults, then the file, then the environment, then the flags.
    pub fn load(
        flags: &Flags,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let variables: Vec<_> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX))
            .collect();
        let named = variables
            .iter()
            .find(|(name, _)| name == FILE_VARIABLE)
            .map(|(_, value)| PathBuf::from(value));
        let mut settings = match flags.config.clone().or(named) {
            Some(path) => read_file(&path)?,
            None if Path::new(DEFAULT_FILE).exists() => read_file(Path::new(DEFAULT_FILE))?,
            None => Table::new(),
        };
        for (name, value) in variables.iter().filter(|(name, _)| name != FILE_VARIABLE) {
            merge(&mut settings, read_variable(name, value)?);
        }
        let merged = settings.try_into::<Self>().map_err(|error| ConfigError {
            place: "settings".to_owned(),
            mistake: error.message().to_owned(),
            remedy: "set each key in one place only".to_owned(),
        })?;
        Ok(merged.overridden_by(flags))
    }

    fn overridden_by(mut self, flags: &Flags) -> Self {
        self.listen = flags.listen.unwrap_or(self.listen);
        self.data_dir = flags.data_dir.clone().unwrap_or(self.data_dir);
        self.log.format = flags.log_format.unwrap_or(self.log.format);
        self
    }

    /// The settings as a file that would give them again, except that secrets are redacted.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are strings, numbers and tables of these")
    }
}

const SEE_KEYS: &str =
    "correct or remove it; `zhucun config show` prints every setting with its value";

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
        place: name.to_string(),
        mistake: format!("cannot be read: {error}"),
        remedy: "name an existing, readable file".to_owned(),
    })?;
    let mistaken = |error: &toml::de::Error| {
        let before = error
            .span()
            .and_then(|span| text.get(..span.start))
            .unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        ConfigError {
            place: format!("{name}:{line}"),
            mistake: error.message().to_owned(),
            remedy: SEE_KEYS.to_owned(),
        }
    };
    toml::from_str::<Config>(&text).map_err(|error| mistaken(&error))?;
    toml::from_str::<Table>(&text).map_err(|error| mistaken(&error))
}

/// Reads `ZHUCUN_SESSIONS__BROWSER_HOURS=8` as `sessions.browser_hours = 8`. The value is TOML, or else a plain string.
fn read_variable(name: &str, value: &str) -> Result<Table, ConfigError> {
    let key = name.trim_start_matches(VARIABLE_PREFIX).to_lowercase();
    let nested = |value: Value| {
        let wrap = |inner, part: &str| Value::Table(Table::from_iter([(part.to_owned(), inner)]));
        key.rsplit("__").fold(value, wrap)
    };
    let literal = toml::from_str::<Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"));
    let candidates = literal.into_iter().chain([Value::String(value.to_owned())]);
    let mut mistake = String::new();
    for candidate in candidates.map(nested) {
        match (Config::deserialize(candidate.clone()), candidate) {
            (Ok(_), Value::Table(table)) => return Ok(table),
            (Ok(_), _) => {}
            (Err(error), _) if mistake.is_empty() => error.message().clone_into(&mut mistake),
            (Err(_), _) => {}
        }
    }
    Err(ConfigError {
        place: name.to_owned(),
        mistake,
        remedy: SEE_KEYS.to_owned(),
    })
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zhucun.toml");
        std::fs::write(&path, file).unwrap();
        let flags = Flags {
            config: Some(path),
            ..flags
        };
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&flags, variables).map_err(|mut error| {
            error.place = error
                .place
                .replace(&format!("{}/", folder.path().display()), "");
            error
        })
    }

    #[track_caller]
    fn check_mistake(file: &str, variables: &[(&str, &str)], place: &str, mistake: &str) {
        let error = load(file, variables, Flags::default()).expect_err("a mistake");
        assert_eq!(error.place, place);
        assert!(error.mistake.contains(mistake), "{error}");
        assert!(!error.remedy.is_empty());
    }

    #[test]
    fn flags_override_the_environment_which_overrides_the_file() {
        let file = "listen = '127.0.0.1:1'\ndata_dir = 'file'\n[sessions]\nbrowser_hours = 3\nissuer = 'file'";
        let variables = [
            ("ZHUCUN_LISTEN", "127.0.0.1:2"),
            ("ZHUCUN_SESSIONS__BROWSER_HOURS", "4"),
            ("PATH", "/bin"),
        ];
        let flags = Flags {
            listen: Some("127.0.0.1:3".parse().unwrap()),
            ..Flags::default()
        };
        let config = load(file, &variables, flags).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.sessions.browser_hours.get(), 4);
        assert_eq!(config.sessions.issuer, "file");
        assert_eq!(config.data_dir, Path::new("file"));
    }

    #[test]
    fn a_variable_may_be_text_number_or_list() {
        let variables = [
            ("ZHUCUN_TRUSTED_PROXIES", "['10.0.0.1', '::1']"),
            ("ZHUCUN_METRICS__TOKEN", "12345678"),
            ("ZHUCUN_LOG__FILTER", "warn,server=debug"),
        ];
        let config = load("", &variables, Flags::default()).unwrap();
        assert_eq!(config.trusted_proxies.len(), 2);
        assert!(config.metrics.token.is_some());
    }

    #[test]
    fn mistakes_name_their_place() {
        check_mistake(
            "\n\nlisen = '127.0.0.1:1'",
            &[],
            "zhucun.toml:3",
            "unknown field `lisen`, expected one of `listen`",
        );
        check_mistake(
            "[sessions]\nbrowser_days = 1",
            &[],
            "zhucun.toml:2",
            "unknown field `browser_days`",
        );
        check_mistake(
            "[passwords]\n\nmemory_mib = 18",
            &[],
            "zhucun.toml:3",
            "expected 19 to 1024",
        );
        check_mistake("listen = 'here'", &[], "zhucun.toml:1", "socket address");
        check_mistake(
            "[log]\nfilter = 'a=b=c'",
            &[],
            "zhucun.toml:2",
            "not a log filter",
        );
        check_mistake("listen = ", &[], "zhucun.toml:1", "");
        check_mistake(
            "",
            &[("ZHUCUN_LISEN", "x")],
            "ZHUCUN_LISEN",
            "unknown field `lisen`",
        );
        check_mistake(
            "",
            &[("ZHUCUN_SHUTDOWN_SECONDS", "soon")],
            "ZHUCUN_SHUTDOWN_SECONDS",
            "string",
        );
        check_mistake(
            "",
            &[("ZHUCUN_SHUTDOWN_SECONDS", "601")],
            "ZHUCUN_SHUTDOWN_SECONDS",
            "expected 0 to 600",
        );
        check_mistake("", &[("ZHUCUN_LOG", "1")], "ZHUCUN_LOG", "");
    }

    #[test]
    fn a_named_file_must_exist() {
        let flags = Flags {
            config: Some("/nowhere/zhucun.toml".into()),
            ..Flags::default()
        };
        let error = Config::load(&flags, []).expect_err("no such file");
        assert_eq!(error.place, "/nowhere/zhucun.toml");
    }

    #[test]
    fn what_is_shown_can_be_read_again_and_holds_no_secret() {
        let config = load("[metrics]\ntoken = 'hush'", &[], Flags::default()).unwrap();
        let shown = config.to_toml();
        assert!(
            !shown.contains("hush") && shown.contains("<redacted>"),
            "{shown}"
        );
        assert!(!format!("{config:?}").contains("hush"));
        assert_eq!(
            load(&shown, &[], Flags::default()).unwrap().to_toml(),
            shown
        );
    }
}
