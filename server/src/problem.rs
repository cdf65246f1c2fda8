//! Every failure that a caller sees: RFC 9457 problem details with a stable code.
//!
//! An operation has an enum of its failures and one `match` that turns each into a [`Problem`]. What a caller may not know
//! of is [`Code::NotFound`]; what went wrong inside is logged with its causes and told to nobody.

use std::error::Error;
use std::fmt::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use store::StoreError;
use utoipa::ToSchema;

use crate::routes::files;

/// The media type of every failure.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $name:literal, $status:ident, $en:literal, $zh:literal, $remedy_en:literal, $remedy_zh:literal;)*) => {
        /// What can go wrong, in words that programs can rely on: a code never changes its name or its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $code,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// What programs call it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$code => $name),* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status),* }
            }

            /// What it means and what to do, in English and in Chinese.
            pub const fn texts(self) -> Texts {
                match self { $(Self::$code => Texts { title: $en, title_zh: $zh, remedy: $remedy_en, remedy_zh: $remedy_zh }),* }
            }
        }
    };
}

/// The words of a problem.
#[derive(Debug, Clone, Copy)]
pub struct Texts {
    /// What is wrong.
    pub title: &'static str,
    /// What is wrong, in Chinese.
    pub title_zh: &'static str,
    /// What the caller can do.
    pub remedy: &'static str,
    /// What the caller can do, in Chinese.
    pub remedy_zh: &'static str,
}

codes! {
    /// The request could not be read.
    Malformed = "malformed", BAD_REQUEST, "The request cannot be read", "请求无法读取",
        "Compare it with the API description.", "请对照接口说明检查。";
    /// No valid access token came with the request.
    Unauthenticated = "unauthenticated", UNAUTHORIZED, "Not signed in", "尚未登录",
        "Refresh the session, or log in.", "请刷新会话或重新登录。";
    /// User name and password do not belong together.
    WrongCredentials = "wrong_credentials", UNAUTHORIZED, "User name or password is wrong", "用户名或密码错误",
        "Try again; an administrator can issue a code to set a new password.", "请重试；管理员可发放重设密码的一次性代码。";
    /// The refresh token is of no session that goes on.
    SessionEnded = "session_ended", UNAUTHORIZED, "The session has ended", "会话已结束",
        "Log in again. What is on the device stays there.", "请重新登录。设备上的内容不受影响。";
    /// The device's signature is missing or wrong.
    DeviceProof = "device_proof", UNAUTHORIZED, "The device did not prove its key", "设备未能证明其密钥",
        "Sign the token with the key that the device was enrolled with.", "请用设备登记时的密钥对令牌签名。";
    /// There is nothing here that the caller may know of.
    NotFound = "not_found", NOT_FOUND, "Not found", "没有找到",
        "It does not exist, or not within what you may see.", "可能不存在，也可能不在您可以查看的范围内。";
    /// The address does not take this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not take that method", "此地址不支持该方法",
        "See the header Allow.", "请查看 Allow 头。";
    /// The request took too long to arrive or to be answered.
    Timeout = "timeout", REQUEST_TIMEOUT, "The request took too long", "请求超时",
        "Send it again.", "请重新发送。";
    /// The device speaks another version of the sync protocol.
    Protocol = "protocol", CONFLICT, "This version of the app cannot sync with this server", "此应用版本无法与服务器同步",
        "Update the app; what it holds stays and is sent afterwards.", "请更新应用；本机内容不会丢失，更新后继续发送。";
    /// The journal is not folded to the position that was asked for; `folded` says how far, `Retry-After` when to ask again.
    NotFoldedYet = "not_folded_yet", CONFLICT, "What was asked for is received but not yet readable", "内容已接收，尚未可读",
        "Ask again after Retry-After.", "请按 Retry-After 稍后再查。";
    /// The office that the caller works for has no access journal, so that nothing can be entered, and nothing is shown.
    NoAccessJournal = "no_access_journal", CONFLICT, "This cannot be entered in an access journal, so it is not shown", "无法登记本次查看，因此不予显示",
        "Have the area of your office imported; it comes with an access journal.", "请导入所在单位的区划，访问日志随之建立。";
    /// More was asked for than is given in one answer.
    TooMuch = "too_much", CONFLICT, "More than is given at once", "内容过多，无法一次提供",
        "Ask for one journal, or for a smaller area.", "请改查单个日志或缩小区域。";
    /// Someone else has this user name.
    UserNameTaken = "user_name_taken", CONFLICT, "This user name is taken", "用户名已被使用",
        "Choose another one.", "请换一个用户名。";
    /// The person holds this assignment already; `assignment` names it.
    AssignmentHeld = "assignment_held", CONFLICT, "The person holds this assignment already", "此人已有该任职",
        "End that one first, or choose other dates.", "请先结束原任职，或调整起止日期。";
    /// The person holds a role that excludes this one; `held` names it.
    RolesExclude = "roles_exclude", CONFLICT, "The person holds a role that excludes this one", "此人现任角色与该角色互斥",
        "Assign it to another person, or end the other assignment first.", "请改派他人，或先结束原任职。";
    /// The assignment ends earlier already; `to` says when.
    AssignmentEnded = "assignment_ended", CONFLICT, "The assignment ends earlier already", "该任职已于更早日期结束",
        "Give a new assignment instead of putting the end off.", "结束日期不能推后，请新增任职。";
    /// The body is larger than this address takes.
    TooLarge = "too_large", PAYLOAD_TOO_LARGE, "The request is too large", "请求过大",
        "Send less at once.", "请分次发送。";
    /// The body is of another media type.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body is of another type than expected", "请求体类型不符",
        "Set Content-Type as the API description says.", "请按接口说明设置 Content-Type。";
    /// A field has a value that it cannot take; `field` names it.
    InvalidField = "invalid_field", UNPROCESSABLE_ENTITY, "A field has a value that it cannot take", "字段取值无效",
        "Correct the field that is named.", "请更正所指出的字段。";
    /// The file has mistakes; `mistakes` lists every one with its line and remedy.
    FileMistakes = "file_mistakes", UNPROCESSABLE_ENTITY, "The file has mistakes; nothing of it was used", "文件有误，未作任何更改",
        "Correct every line that is listed, and send the whole file again.", "请更正所列各行后重新提交整个文件。";
    /// The password would be guessed too soon.
    PasswordWeak = "password_weak", UNPROCESSABLE_ENTITY, "The password is too easy to guess", "密码过于简单",
        "Take a longer one: a few unrelated words do well.", "请使用更长的密码，例如几个不相关的词。";
    /// The one-time code was never issued, is used up, or has run out.
    CodeInvalid = "code_invalid", UNPROCESSABLE_ENTITY, "The code is not valid, or no longer", "代码无效或已失效",
        "Check it, or ask for a new one.", "请核对，或申请新的代码。";
    /// The device is not known, or not this person's, or no longer in use.
    DeviceUnusable = "device_unusable", UNPROCESSABLE_ENTITY, "This device cannot be used to log in", "此设备不能用于登录",
        "Enrol it with a code from an administrator.", "请用管理员发放的代码登记设备。";
    /// Too many attempts in a short time; `Retry-After` says when to try again.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Too many attempts", "尝试次数过多",
        "Wait as long as Retry-After says. Nobody is locked out.", "请按 Retry-After 等待后重试，账户不会被锁定。";
    /// What a phone gives back is not what the signed log covers: it is taken neither in part nor in another place.
    NotTheEntries = "not_the_entries", UNPROCESSABLE_ENTITY, "This is not what the signed log covers", "交还的内容与已签名的日志不符",
        "Nothing of it was taken; what other phones hold may be.", "未予接收；可由其他设备交还。";
    /// A record names the file, and its bytes have not come yet.
    FileAwaited = "file_awaited", NOT_FOUND, "The file has not arrived yet", "文件尚未送达",
        "Ask again later: the device that made it hands it over when it has a good line.", "请稍后再查；拍摄或录制的设备在信号良好时会送交。";
    /// Another number of bytes is kept of the file than the piece goes on from; `Upload-Offset` says how many.
    UploadOffset = "upload_offset", CONFLICT, "The piece does not continue what is kept", "分段与已保存部分不衔接",
        "Go on from where Upload-Offset says.", "请从 Upload-Offset 所示位置继续。";
    /// As much as is kept of one person's unfinished files is kept already.
    UnfinishedFiles = "unfinished_files", TOO_MANY_REQUESTS, "Too much of other files is unfinished", "未传完的文件过多",
        "Finish the files that were begun; what is left lying is forgotten after a week.", "请先传完已开始的文件；搁置的部分一周后清除。";
    /// The file is longer than any may be; what was kept of it is thrown away.
    FileTooLarge = "file_too_large", UNPROCESSABLE_ENTITY, "The file is too large", "文件过大",
        "It will not be taken; make a smaller one and record that.", "不会接收此文件；请改用较小的文件重新记录。";
    /// The bytes do not have the hash that the record names; they are thrown away.
    FileDigest = "file_digest", UNPROCESSABLE_ENTITY, "This is not the file that the record names", "内容与记录所指文件不符",
        "Send the very bytes that were hashed, from the beginning.", "请从头发送计算摘要时的原始内容。";
    /// It is neither a picture nor a recording that is taken, or a broken one; it is thrown away.
    FileForm = "file_form", UNPROCESSABLE_ENTITY, "This is no picture or recording that is taken", "不是可接收的图片或录音",
        "Pictures are JPEG or WebP, recordings Opus or AAC in WebM or MP4.", "图片须为 JPEG 或 WebP，录音须为 WebM 或 MP4 格式的 Opus 或 AAC。";
    /// The file carries what is neither picture nor sound, as where and when it was taken; it is thrown away.
    FileMetadata = "file_metadata", UNPROCESSABLE_ENTITY, "The file carries more than a picture or a sound", "文件含有图像或声音以外的信息",
        "Strip it before it is hashed: place, time and device do not belong in it.", "请在计算摘要前清除附加信息：文件不应含位置、时间或设备信息。";
    /// The picture has too many pixels; it is thrown away.
    FilePixels = "file_pixels", UNPROCESSABLE_ENTITY, "The picture has too many pixels", "图片像素过多",
        "Scale it down before it is hashed.", "请在计算摘要前缩小图片。";
    /// Something went wrong inside.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on the server", "服务器内部错误",
        "Try again; if it stays, give the operator the value of X-Request-Id.", "请重试；如仍失败，请将 X-Request-Id 告知运维人员。";
    /// The server has as much to do as it takes on; `Retry-After` says when to try again.
    Busy = "busy", SERVICE_UNAVAILABLE, "The server is busy", "服务器繁忙",
        "Try again after Retry-After.", "请按 Retry-After 稍后重试。";
    /// The server's database is behind the checkpoint that it signed last, as after restoring an old backup: it can be read only.
    BehindCheckpoint = "behind_checkpoint", SERVICE_UNAVAILABLE, "The server has lost what it once signed, and takes nothing", "服务器数据落后于其签名过的检查点，暂不接收任何内容",
        "Keep what you have, on the device too, and sync: phones give back what they hold until nothing is missing. Tell the operator: what no phone holds, a newer copy of the database must bring, or he reopens the log.", "请保留手中和设备上的内容，并照常同步：各设备会交还所存内容，直至补齐。请告知运维人员：各设备都没有的内容，须恢复较新的数据库备份，或由其重新开启日志。";
}

impl Code {
    /// The code that says no more than a status does, for failures that no handler of ours made.
    const fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::Timeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::InvalidField,
            StatusCode::TOO_MANY_REQUESTS => Self::TooManyRequests,
            StatusCode::SERVICE_UNAVAILABLE => Self::Busy,
            other if other.as_u16() < 500 => Self::Malformed,
            _ => Self::Internal,
        }
    }
}

/// A failure as the caller sees it.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    more: Map<String, Value>,
    retry_after_seconds: Option<u64>,
    offset: Option<u64>,
}

/// Marks a response that is a problem already.
#[derive(Debug, Clone, Copy)]
struct IsProblem;

impl Problem {
    /// The problem with this code.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            more: Map::new(),
            retry_after_seconds: None,
            offset: None,
        }
    }

    /// What the caller may not know of.
    pub fn not_found() -> Self {
        Self::new(Code::NotFound)
    }

    /// A field whose value it cannot take, and what it can.
    pub fn invalid_field(field: &'static str, expected: impl Into<String>) -> Self {
        Self::new(Code::InvalidField)
            .with("field", field)
            .with("expected", expected.into())
    }

    /// A failure inside: logged here with all its causes, told to nobody.
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        let is_behind = |error: &(dyn Error + 'static)| {
            matches!(error.downcast_ref(), Some(StoreError::Behind))
        };
        if is_behind(error) || error.source().is_some_and(is_behind) {
            return Self::new(Code::BehindCheckpoint);
        }
        let mut causes = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            write!(causes, ": {cause}").expect("a string takes all that is written to it");
            source = cause.source();
        }
        tracing::error!(causes, "internal error");
        Self::new(Code::Internal)
    }

    /// The same problem, saying one thing more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The same problem, saying when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The same problem, saying how many bytes of an upload are kept.
    #[must_use]
    pub fn at_offset(mut self, bytes: u64) -> Self {
        self.offset = Some(bytes);
        self
    }

    /// What programs call it.
    pub fn code(&self) -> Code {
        self.code
    }

    fn details(self) -> ProblemDetails {
        let Texts {
            title,
            title_zh,
            remedy,
            remedy_zh,
        } = self.code.texts();
        ProblemDetails {
            kind: format!("/docs#{}", self.code.name()),
            status: self.code.status().as_u16(),
            code: self.code.name(),
            title,
            title_zh,
            remedy,
            remedy_zh,
            more: self.more,
        }
    }
}

/// Why a request failed, as RFC 9457 problem details.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    /// The HTTP status again.
    status: u16,
    /// What is wrong, for programs: never renamed.
    code: &'static str,
    /// What is wrong, in English.
    title: &'static str,
    /// What is wrong, in Chinese.
    title_zh: &'static str,
    /// What the caller can do, in English.
    remedy: &'static str,
    /// What the caller can do, in Chinese.
    remedy_zh: &'static str,
    /// Particulars: `field` and `expected`, for example.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    more: Map<String, Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, retry_after, offset) = (self.code, self.retry_after_seconds, self.offset);
        let mut response = (code.status(), axum::Json(self.details())).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(bytes) = offset {
            headers.insert(files::OFFSET, bytes.into());
        }
        if code.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(IsProblem);
        response
    }
}

/// A failure that is told to a person, on a page, and stays as it is.
pub(crate) fn told_as_page(mut response: Response) -> Response {
    response.extensions_mut().insert(IsProblem);
    response
}

/// Gives failures that come from a library the form of all others; leaves every other response as it is.
pub fn explain(response: Response) -> Response {
    let failed = response.status().is_client_error() || response.status().is_server_error();
    if !failed || response.extensions().get::<IsProblem>().is_some() {
        return response;
    }
    let mut problem = Problem::new(Code::of_status(response.status())).into_response();
    *problem.status_mut() = response.status();
    if let Some(methods) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, methods.clone());
    }
    problem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_differ_and_speak_both_languages() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let texts = code.texts();
            assert!(
                texts.title.is_ascii() && !texts.title_zh.is_ascii(),
                "{code:?}"
            );
            assert!(
                texts.remedy.is_ascii() && !texts.remedy_zh.is_ascii(),
                "{code:?}"
            );
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn a_failure_of_a_library_gets_our_form_and_a_success_stays() {
        let explained = explain((StatusCode::IM_A_TEAPOT, "plain").into_response());
        assert_eq!(explained.status(), StatusCode::IM_A_TEAPOT);
        assert_eq!(explained.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let success = explain("plain".into_response());
        assert_ne!(success.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let ours = explain(Problem::new(Code::Busy).retry_after(7).into_response());
        assert_eq!(ours.headers()[header::RETRY_AFTER], "7");
    }

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let problem = Problem::internal(&std::io::Error::other("disk 7 is full"));
        assert!(
            !serde_json::to_string(&problem.details())
                .unwrap()
                .contains("disk")
        );
    }
}
