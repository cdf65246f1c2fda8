//! Areas: imported, looked up.

pub mod import;
pub mod list;

use serde_json::json;

use crate::admin::areas::AreaFailure;
use crate::problem::{Code, Problem};

impl From<AreaFailure> for Problem {
    fn from(failure: AreaFailure) -> Self {
        match failure {
            AreaFailure::Absent => Self::not_found(),
            AreaFailure::Mistakes(mistakes) => {
                let mistakes = mistakes.iter().map(|mistake| {
                    json!({
                        "line": mistake.line, "column": mistake.column, "code": mistake.code,
                        "message": mistake.message, "remedy": mistake.remedy,
                    })
                });
                Self::new(Code::FileMistakes).with("mistakes", mistakes.collect::<Vec<_>>())
            }
            AreaFailure::Outside(code) => {
                Self::invalid_field("code", format!("areas for which you import, unlike {code}"))
            }
            AreaFailure::Store(source) => Self::internal(&source),
        }
    }
}
