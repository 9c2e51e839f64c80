//! Who may have what: `Require`.

use crate::config::{Args, Call, Contexts, Fault, Part, Row, Settings};

/// Access rules of a section.
#[derive(Clone, Debug, Default)]
pub struct AccessSettings {
    /// Whether everybody is let in; the innermost section that says something wins
    /// (httpd's `AuthMerging Off`). Nothing said anywhere: yes, as in httpd.
    pub granted: Option<bool>,
}

impl Part for AccessSettings {
    fn merge(&mut self, inner: &Self) {
        self.granted = inner.granted.or(self.granted);
    }
}

/// Directives of mod_authz_core.
pub const ROWS: &[Row] = &[Row {
    name: "Require",
    module: "mod_authz_core.c",
    contexts: Contexts::SECTION,
    args: Args::Words { min: 1, max: usize::MAX },
    default: "",
    help: "who is let in: 'all granted' or 'all denied'",
    set: require,
}];

fn require(settings: &mut Settings, call: &Call<'_>) -> Result<(), Fault> {
    let words: Vec<String> = call.words.iter().map(|w| w.text.to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let granted = match words.as_slice() {
        ["all", "granted"] => true,
        ["all", "denied"] => false,
        ["all", ..] => return Err(Fault::new("Require all must be 'granted' or 'denied'").at(1)),
        // Ignoring a rule would let everybody in.
        _ => {
            let sentence = "only 'Require all granted' and 'Require all denied' are supported yet";
            return Err(Fault::new(sentence).at(0));
        }
    };
    let access = settings.of_mut::<AccessSettings>();
    // Several Require in one section are alternatives (RequireAny).
    access.granted = Some(access.granted.unwrap_or(false) || granted);
    Ok(())
}
