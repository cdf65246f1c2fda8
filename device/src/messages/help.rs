//! The help of every command and argument. A command's place is its name; an argument's is its command's name and its own, or
//! `*` and its own where it means the same everywhere.

/// Place, in Chinese, in English.
pub const HELP: &[(&str, &str, &str)] = &[
    (
        "",
        "驻村：现场客户端。没有信号也能记录，有信号时 sync。",
        "Zhucun, the field client. Records without a signal; sync when there is one.",
    ),
    (
        "*home",
        "存放目录（默认 ~/.local/share/zhucun）",
        "The folder of the store (~/.local/share/zhucun)",
    ),
    ("*lang", "语言：zh 或 en", "The language: zh or en"),
    (
        "*record",
        "记录：编号开头四位以上，或标题",
        "A record: four or more digits of its id, or its title",
    ),
    ("*reason", "原因", "Why"),
    (
        "*fields",
        "字段=内容，可写多个；内容留空为清除",
        "FIELD=VALUE, several times; an empty value clears",
    ),
    ("*set", "字段=内容，可写多个", "FIELD=VALUE, several times"),
    ("*field", "字段名或名称", "A field by its name or label"),
    ("*number", "编号", "Its number"),
    ("*file", "文件", "A file"),
    (
        "*others",
        "同事的（您可代为提交的）",
        "A teammate's, for whom you may sign",
    ),
    (
        "enrol",
        "用一次性登记码登记本机；已登记的就地重新登记",
        "Enrol this device by a one-time code; one that is enrolled gets a new key in place",
    ),
    (
        "enrol code",
        "管理员发的登记码",
        "The one-time code from an administrator",
    ),
    (
        "enrol server",
        "服务器地址，如 https://zhucun.example",
        "The server's URL, as https://zhucun.example",
    ),
    ("enrol label", "给本机起的名字", "What you call this device"),
    (
        "login",
        "会话结束后重新登录",
        "Log in again when the session has ended",
    ),
    ("login user_name", "用户名", "Your user name"),
    (
        "due",
        "待办，按缓急排好",
        "What is due, in the order in which to do it",
    ),
    (
        "households",
        "农户，久未走访的在前",
        "The households, those that have waited longest first",
    ),
    (
        "list",
        "某种记录，新近的在前",
        "The records of a kind, the latest first",
    ),
    ("list kind", "种类，如 visit 或 走访", "A kind, as visit"),
    ("list all", "连同作废的", "Hidden ones too"),
    ("show", "看一条记录", "Show a record"),
    (
        "show reveal",
        "查看一个敏感字段的原文（会留痕）",
        "Show one sensitive field whole; that is recorded",
    ),
    ("show reason", "查看的用途", "What for"),
    (
        "visit",
        "记一次走访；不写农户则逐项询问",
        "Record a visit; without a household everything is asked",
    ),
    (
        "visit household",
        "农户：名单编号、姓名开头或记录编号",
        "A household: number in the list, beginning of the name, or id",
    ),
    (
        "visit method",
        "方式：编号、代码或名称",
        "How: by number, code or label",
    ),
    (
        "visit looks",
        "四看，四位数字：教育、医疗、住房、饮水，如 1121",
        "Four looks, four digits: schooling, medical care, housing, water, as 1121",
    ),
    ("visit note", "要点", "What matters, in a sentence"),
    (
        "visit needs",
        "诉求，可写多个，用逗号隔开",
        "Needs, several with commas between",
    ),
    (
        "visit on",
        "发生日期（默认今天）",
        "The day it took place (today)",
    ),
    ("visit file", "同时存档", "File it at once"),
    (
        "task",
        "任务：不写动作则列出",
        "Tasks: lists them, or takes an action",
    ),
    ("task action", "动作，如 sign 或 签收", "An action, as sign"),
    (
        "act",
        "对任何记录办理一个动作",
        "Take an action on any record",
    ),
    (
        "act action",
        "动作，如 file 或 存档；show 列出可办的",
        "An action, as file; show lists those you may take",
    ),
    ("new", "新建任何种类的记录", "Make a record of any kind"),
    ("new kind", "种类", "A kind"),
    (
        "new audience",
        "可见范围：village、team、county、sensitive",
        "Who may read it: village, team, county, sensitive",
    ),
    ("set", "填写字段", "Set fields"),
    ("amend", "更正已存档的记录", "Correct a filed record"),
    (
        "edit",
        "修改长文本（用 EDITOR 打开，或写明全文）",
        "Edit a long text, in EDITOR or as said",
    ),
    ("edit text", "改成的全文", "The whole text as it is to be"),
    ("edit append", "接在后面的内容", "What is added at the end"),
    ("add", "在清单里添加一项", "Add an item to a list"),
    (
        "add item",
        "内容，或 栏:内容,栏:内容",
        "Its text, or PART:VALUE,PART:VALUE",
    ),
    ("remove", "从清单里移除一项", "Take an item out of a list"),
    (
        "void",
        "作废一条记录（不会删除）",
        "Hide a record; nothing is deleted",
    ),
    (
        "conflicts",
        "待核对：同一字段有几个值的",
        "Fields that have several values",
    ),
    (
        "choose",
        "选定待核对的一个值",
        "Choose one of several values",
    ),
    (
        "refused",
        "被拒收或未生效的",
        "What was refused or without effect",
    ),
    ("again", "重新提交一条", "Offer one of them again"),
    ("leave", "不再需要，搁置", "Leave one of them aside"),
    (
        "sync",
        "上传并接收新内容",
        "Send what is unsent and take what is new",
    ),
    (
        "status",
        "本机状况：未回执、最近联系、期限",
        "Where this device stands: unsent, last contact, lease",
    ),
    (
        "receipt",
        "一条记录的每一步到了哪里",
        "Where each step of a record is, with its receipt",
    ),
    (
        "export",
        "把待发内容加密成交换包",
        "Pack what is unsent, encrypted, for a teammate to carry",
    ),
    (
        "carry",
        "收下同事的交换包代送",
        "Take a teammate's parcel along",
    ),
    (
        "rescue",
        "PIN 丢失后取出已封存的内容",
        "When the PIN is lost: pack what was sealed",
    ),
    ("pin", "PIN", "The PIN"),
    ("pin change", "更改 PIN", "Change the PIN"),
    (
        "shell",
        "连续操作，PIN 只输一次",
        "Several commands, with the PIN given once",
    ),
];
