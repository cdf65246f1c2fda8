//! The wording of every stable code.

/// What a code means, and what to do about it.
#[derive(Debug, Clone, Copy)]
pub struct CodeWords {
    /// The code.
    pub code: &'static str,
    /// What it means, in Chinese.
    pub zh: &'static str,
    /// What it means, in English.
    pub en: &'static str,
    /// What to do, in Chinese; empty if there is nothing.
    pub zh_remedy: &'static str,
    /// What to do, in English; empty if there is nothing.
    pub en_remedy: &'static str,
}

macro_rules! words {
    ($($code:literal: $zh:literal, $en:literal $(, $zh_remedy:literal, $en_remedy:literal)?;)*) => {
        &[$(CodeWords {
            code: $code,
            zh: $zh,
            en: $en,
            zh_remedy: concat!($($zh_remedy)?),
            en_remedy: concat!($($en_remedy)?),
        }),*]
    };
}

/// Why a command that counts is marked.
pub const FLAGS: &[CodeWords] = words! {
    "after_end": "任职期内所写，离任后才收到", "written during the assignment, received after its end";
    "clock": "记录时间不在合理范围内", "the recorded time lies outside its bounds",
        "请核对本机时钟。", "Check this device's clock.";
    "after_seal": "补录：当月月结后才收到", "recorded in a month that was closed before it was received";
};

/// Why a command changes nothing.
pub const NO_EFFECT: &[CodeWords] = words! {
    "superseded": "您还没看到时，别人已先办了一步", "another step was taken that you had not seen",
        "请看记录现状，需要时重新办理。", "See how the record stands, and act again if need be.";
    "not_ready": "所涉及的记录还没到这一步", "a record that it rests on is not as far yet";
    "too_early": "还没到规定的天数", "the days that it must wait are not over";
    "wrong_state": "记录当时的状态不能这样办", "the record's state did not allow it",
        "请看记录现状，需要时重新办理。", "See how the record stands, and act again if need be.";
    "filed": "已存档，不能直接改", "the record is filed",
        "请由记录人用 amend 更正并写明原因。", "Its author corrects it with amend, giving a reason.";
    "field_closed": "这个状态下该字段不能再改", "the field takes no more changes in this state";
    "void": "记录已作废", "the record is void";
    "erased": "记录内容已依法删除", "the record was erased";
    "sealed": "该月已经月结", "the month is closed already",
        "如需重新打开，请县级督导用 act 办理。", "The county can open it again, with act.";
    "not_flagged": "没有可以解除的此类标记", "nothing that you see is marked for this",
        "请用 flagged 查看带标记的内容。", "See with flagged what is marked.";
    "needs": "所依据的前一步没有生效", "the command it rests on had no effect",
        "先重新办理前一步。", "Do that one again first.";
};

/// Why a command is refused: by authority, by order, or because it is not what its kind declares.
pub const REFUSED: &[CodeWords] = words! {
    "device_revoked": "写这条内容的设备已被吊销", "the device that wrote it was revoked",
        "请用新设备重新提交，或由第一书记代为提交。", "Offer it again from a new device, or let the first secretary sign for it.";
    "device_suspended": "写这条内容的设备已被暂停", "the device that wrote it was suspended",
        "重新登记本机后，用 again 重新提交。", "Enrol this device anew, then offer it again.";
    "account_closed": "账户已停用", "the account is closed", "请联系管理员。", "Ask an administrator.";
    "not_assigned": "您在这个村没有任职", "you are not assigned there", "请联系管理员。", "Ask an administrator.";
    "not_begun": "任职还没有开始", "the assignment has not begun", "任职开始后重新提交。", "Offer it again once it has.";
    "assignment_ended": "离任之后所写", "written after the assignment ended",
        "可由第一书记用 again --others 代为提交。", "The first secretary can sign for it: again --others.";
    "assignment_withdrawn": "任职已被撤销", "the assignment was withdrawn", "可由第一书记代为提交。", "The first secretary can sign for it.";
    "too_old": "离任超过 30 天才收到", "received more than 30 days after the assignment ended",
        "可由第一书记代为提交。", "The first secretary can sign for it.";
    "not_allowed": "您的角色不能这样办", "your role may not do this", "请由有权限的同事办理。", "Ask somebody whose role may.";
    "month_not_over": "当月还没有结束", "the month is not over yet", "下月起再办理月结。", "Close it next month.";
    "malformed": "内容前后矛盾，无法处理", "it contradicts itself", "请更新应用后重新提交。", "Update the app and offer it again.";
    "limit": "超出上限", "it exceeds a limit", "请精简后重新填写。", "Make it shorter.";
    "base_unseen": "所依据的内容本机尚未核对", "it rests on what this device had not verified", "请同步后重新提交。", "Sync and offer it again.";
    "unknown_catalogue": "目录版本没有发布", "its catalogue version is not published", "请同步后重新提交。", "Sync and offer it again.";
    "unknown_kind": "没有这种记录", "there is no such kind of record", "请更新应用。", "Update the app.";
    "unknown_action": "没有这种办理方式", "the kind has no such action", "请用 show 查看可办的事项。", "See with show what may be done.";
    "unknown_record": "服务器没有这条记录", "the server has no such record", "先重新提交登记它的那一条。", "Offer again first what created it.";
    "unknown_link": "所指的记录或人员不存在", "it refers to what is not there", "请核对后重新填写。", "Check it and fill it in anew.";
    "record_exists": "这条记录已经有了", "the record exists already";
    "already_received": "早已收到过", "it was received before";
    "needs": "所依据的前一条已被拒收", "the command it rests on was refused", "先重新提交前一条。", "Offer that one again first.";
    "required": "缺少必填内容", "something required is missing", "请补齐后重新填写。", "Fill it in.";
    "reason_required": "必须写明原因", "a reason is required", "请用 --reason 写明。", "Give one with --reason.";
    "same_person": "办理与查验不能由同一人完成", "the same person did the step that another must check", "请由另一位同事办理。", "Let another colleague do it.";
    "not_filed": "还没存档，不用更正", "it is not filed", "直接用 set 或 edit 修改。", "Change it with set or edit.";
    "record_full": "这条记录的修改次数已满", "the record takes no more commands", "请新建一条续写。", "Continue it in a new record.";
    "retired_kind": "这种记录不再新建", "no more records of this kind are made";
    "retired_action": "这种办理方式已停用", "the action is no longer taken";
    "unexpected_action": "这里不该带办理动作", "it names an action where none is taken";
    "too_many_fields": "一次填写的字段太多", "it writes too many fields at once", "请分几次填写。", "Write fewer at once.";
    "too_many_links": "引用太多", "it has too many references", "请减少引用。", "Take fewer.";
    "out_of_order": "字段次序不对", "its fields are out of order", "请更新应用。", "Update the app.";
    "unknown_field": "没有这个字段", "the kind has no such field", "请用 show 查看字段。", "See its fields with show.";
    "derived_field": "这个字段由系统计算，不能填写", "the field is computed and never written";
    "retired_field": "这个字段已停用", "the field takes no more values";
    "wrong_verb": "这个字段不能这样填写", "the field is written otherwise",
        "长文本用 edit，清单用 add 和 remove，其余用 set。", "Use edit for long texts, add and remove for lists, set for the rest.";
    "not_written_here": "这个字段只能在登记或办理时填写", "the field is written at creation or by an action only";
    "one_field_only": "一次只能改一个字段", "it takes one field at a time";
    "nothing_written": "没有改动", "it changes nothing";
    "fields_differ": "所列字段与内容不一致", "it names other fields than it brings", "请更新应用。", "Update the app.";
    "unexpected_part": "带了用不上的内容", "it brings what is of no use there";
    "wrong_audience": "可见范围不对", "it is for the wrong audience", "用 new --audience 选择允许的范围。", "Choose one that the kind allows.";
    "wrong_type": "填写的内容类型不对", "the value is not of the field's type", "请按字段类型填写。", "Write what the field takes.";
    "empty": "内容为空", "it is blank", "要清除请写 字段= 。", "To clear a field write FIELD= .";
    "too_long": "内容太长", "the text is too long", "请精简。", "Shorten it.";
    "not_one_line": "只能写一行", "the field takes one line", "请去掉换行。", "Take the line breaks out.";
    "control_character": "含有控制字符", "the text holds a control character", "请去掉。", "Take it out.";
    "unknown_code": "没有这个类别", "the set has no such code", "请从列出的类别里选。", "Choose one that is listed.";
    "code_twice": "同一类别写了两次", "a code stands twice", "请去掉一个。", "Take one out.";
    "unknown_measure": "没有这条政策措施", "there is no such policy measure", "请核对条款编号。", "Check the clause.";
    "not_a_date": "日期不对", "not a date", "请写成 2026-11-21。", "Write it as 2026-11-21.";
    "not_a_time": "时间不对", "not a time of day", "请写成 09:30。", "Write it as 09:30.";
    "too_small": "数值太小", "the number is too small";
    "too_large": "数值太大", "the number is too large";
    "too_many_places": "小数位太多", "the number has too many decimals";
    "too_many_items": "项目太多", "there are too many items", "请减少。", "Take fewer.";
    "unknown_part": "没有这一栏", "an item has no such part";
    "not_a_location": "位置不对", "not a place", "请写成 26.2157,110.8191。", "Write it as 26.2157,110.8191.";
    "not_a_digest": "不是文件的摘要", "not the digest of a file";
};

/// Why a batch cannot be unpacked or attributed.
pub const UNUSABLE: &[CodeWords] = words! {
    "malformed": "服务器无法读取这一批，请更新应用", "the server cannot read it: update the app";
    "unknown_device": "服务器不认识本机的密钥", "the server does not know this device's key";
    "unknown_journal": "服务器没有这个村的日志", "the server has no journal of this village";
    "bad_signature": "签名验证不通过", "the signature does not verify";
    "not_yours": "这一批不是本机写的", "the batch is another device's";
};

/// What a server says is wrong, where it does not say it in the person's language itself.
pub const PROBLEMS: &[CodeWords] = words! {
    "malformed": "请求无法读取", "the request cannot be read", "请更新应用。", "Update the app.";
    "unauthenticated": "尚未登录", "not signed in", "请用 login 重新登录。", "Log in again with login.";
    "wrong_credentials": "用户名或密码错误", "user name or password is wrong", "请重试。", "Try again.";
    "session_ended": "会话已结束", "the session has ended", "请用 login 重新登录，本机内容不受影响。", "Log in again with login; what is on the device stays.";
    "device_proof": "设备未能证明其密钥", "the device did not prove its key", "请重新登记本机。", "Enrol this device anew.";
    "not_found": "服务器上没有这项内容", "there is nothing there";
    "method_not_allowed": "服务器不支持这样请求", "the server does not take that request", "请更新应用。", "Update the app.";
    "timeout": "请求超时", "the request took too long", "请换个有信号的地方再试。", "Try again where the signal is better.";
    "protocol": "应用版本太旧，无法同步", "this version cannot sync with the server", "请更新应用；本机内容不会丢失。", "Update the app; what it holds stays.";
    "user_name_taken": "用户名已被使用", "the user name is taken";
    "not_folded_yet": "内容已接收，尚未可读", "it is received and not yet readable", "请稍后再查。", "Ask again in a moment.";
    "no_access_journal": "无法登记本次查看，因此不予显示", "it cannot be entered in an access journal, so it is not shown";
    "too_much": "内容过多，无法一次提供", "more than is given at once";
    "assignment_held": "此人已有该任职", "the person holds this assignment already";
    "roles_exclude": "此人现任角色与该角色互斥", "the person holds a role that excludes this one";
    "assignment_ended": "该任职已于更早日期结束", "the assignment ends earlier already";
    "file_mistakes": "文件有误，未作任何更改", "the file has mistakes; nothing of it was used";
    "too_large": "请求过大", "the request is too large", "请再同步一次。", "Sync once more.";
    "unsupported_media_type": "请求类型不符", "the request is of another type than expected", "请更新应用。", "Update the app.";
    "invalid_field": "填写内容无效", "a field has a value that it cannot take";
    "password_weak": "密码过于简单", "the password is too easy to guess", "请用更长的密码。", "Take a longer one.";
    "code_invalid": "登记码无效或已用过", "the code is not valid, or no longer", "请向管理员要新的登记码。", "Ask an administrator for a new one.";
    "device_unusable": "此设备不能使用", "this device cannot be used", "请用管理员发放的登记码重新登记。", "Enrol it anew with a code from an administrator.";
    "file_awaited": "文件还没有从拍摄的手机传来", "the file has not come from the phone that took it yet", "请稍后再看。", "Look again later.";
    "upload_offset": "分段与服务器已有的不衔接", "the piece does not continue what the server has", "会自动接着送。", "It goes on by itself.";
    "unfinished_files": "没传完的文件太多", "too many files are unfinished", "请先传完已开始的。", "Finish those that were begun.";
    "file_too_large": "文件太大", "the file is too large", "请拍小一点或录短一点。", "Take a smaller picture or a shorter recording.";
    "file_digest": "传到的内容与记录所指的不符", "what arrived is not what the record names";
    "file_form": "不是能收的照片或录音", "it is no picture or recording that is taken", "请用手机应用拍照或录音。", "Use the app to take it.";
    "file_metadata": "文件里还带着画面或声音以外的信息", "the file says more than picture or sound", "请更新应用。", "Update the app.";
    "file_pixels": "照片太大", "the picture has too many pixels", "请更新应用。", "Update the app.";
    "not_the_entries": "交还的内容与服务器已签名的日志不符", "what was given back is not what the server's signed log covers", "请告知管理员。", "Tell an administrator.";
    "too_many_requests": "尝试次数过多", "too many attempts", "请稍后再试，账户不会被锁定。", "Wait a while; nobody is locked out.";
    "internal": "服务器内部错误", "something went wrong on the server", "请稍后再试，本机内容不受影响。", "Try again later; what is on the device stays.";
    "busy": "服务器繁忙", "the server is busy", "请稍后再试。", "Try again later.";
    "behind_checkpoint": "服务器数据落后于其签名过的检查点，暂不接收内容", "the server has lost what it once signed, and takes nothing",
        "本机内容不受影响，请照常记录、照常同步：同步时会把本机所存交还服务器。并告知管理员。", "What is on this device stays: go on recording and syncing, which gives the server back what this device holds. Tell an administrator.";
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The codes that a module of a source file declares as `pub const NAME: &str = "code";`.
    fn declared(path: &str, module: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = fs::read_to_string(root.join(path)).unwrap();
        let body = source
            .split(&format!("pub mod {module} {{"))
            .nth(1)
            .unwrap();
        let body = body.split("\n}").next().unwrap();
        let codes = body
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub const ")?.split('"').nth(1));
        codes.map(str::to_owned).collect()
    }

    #[track_caller]
    fn check_complete(words: &[CodeWords], codes: &BTreeSet<String>) {
        let worded: BTreeSet<String> = words.iter().map(|words| words.code.to_owned()).collect();
        assert_eq!(worded.len(), words.len(), "a code is worded once");
        let missing: Vec<_> = codes.difference(&worded).collect();
        assert!(missing.is_empty(), "no wording for {missing:?}");
        let gone: Vec<_> = worded.difference(codes).collect();
        assert!(gone.is_empty(), "wording for codes that are gone: {gone:?}");
        for words in words {
            assert!(
                !words.zh.is_ascii() && words.en.is_ascii(),
                "{}",
                words.code
            );
            assert_eq!(
                words.zh_remedy.is_empty(),
                words.en_remedy.is_empty(),
                "{}",
                words.code
            );
        }
    }

    #[test]
    fn every_code_of_a_fate_has_wording_in_both_languages() {
        let fates = "sync-core/src/admit/codes.rs";
        check_complete(FLAGS, &declared(fates, "flag"));
        check_complete(NO_EFFECT, &declared(fates, "no_effect"));
        let mut refused = declared(fates, "refused");
        refused.extend(declared("sync-core/src/catalog/codes.rs", "misfit"));
        check_complete(REFUSED, &refused);
    }

    #[test]
    fn every_problem_of_the_server_has_wording_in_both_languages() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let source = fs::read_to_string(root.join("server/src/problem.rs")).unwrap();
        let table = source
            .split("\ncodes! {")
            .nth(1)
            .unwrap()
            .split("\n}")
            .next()
            .unwrap();
        let codes = table
            .lines()
            .filter_map(|line| line.trim().split_once(" = \"")?.1.split('"').next());
        check_complete(PROBLEMS, &codes.map(str::to_owned).collect());
    }

    #[test]
    fn every_code_of_an_unusable_batch_has_wording() {
        let codes = [
            "malformed",
            "unknown_device",
            "unknown_journal",
            "bad_signature",
            "not_yours",
        ];
        check_complete(UNUSABLE, &codes.map(str::to_owned).into());
    }
}
