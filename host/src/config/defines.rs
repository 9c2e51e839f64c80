//! Names set by `Define` and `-D`.

/// Defined names, in order of definition. Case matters.
#[derive(Debug, Default)]
pub(super) struct Defines {
    names: Vec<(String, Option<String>)>,
}

impl Defines {
    /// Takes `NAME` or `NAME=VALUE`, as `-D` has it.
    pub(super) fn set_option(&mut self, option: &str) {
        match option.split_once('=') {
            Some((name, value)) => self.set(name, Some(value)),
            None => self.set(option, None),
        }
    }

    /// Defines a name. Without a value, one that it has stays, as in httpd.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.names.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value.or(old.take()),
            None => self.names.push((name.to_owned(), value)),
        }
    }

    /// Forgets a name; one that is not there is no mistake.
    pub(super) fn unset(&mut self, name: &str) {
        self.names.retain(|(known, _)| known != name);
    }

    /// Whether `<IfDefine name>` holds.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _)| known == name)
    }

    /// What `${name}` stands for: the defined value, else the environment's.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let defined = self.names.iter().find(|(known, _)| known == name);
        match defined {
            Some((_, Some(value))) => Some(value.clone()),
            _ if name.is_empty() || name.contains(['=', '\0']) => None,
            _ => std::env::var(name).ok(),
        }
    }

    /// All names with their values, empty for those without.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let pairs = self.names.iter();
        pairs.map(|(name, value)| (name.clone(), value.clone().unwrap_or_default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let mut defines = Defines::default();
        defines.set_option("A");
        defines.set_option("B=x=y");
        assert!(defines.contains("A") && defines.contains("B"));
        assert!(!defines.contains("b") && !defines.contains("B=x=y"));
        assert_eq!(defines.value("A"), None);
        assert_eq!(defines.value("B").as_deref(), Some("x=y"));
        defines.set("B", None);
        assert_eq!(defines.value("B").as_deref(), Some("x=y"));
        defines.set("B", Some(""));
        assert_eq!(defines.value("B").as_deref(), Some(""));
        assert_eq!(defines.pairs(), [("A", ""), ("B", "")].map(|(a, b)| (a.into(), b.into())));
    }

    #[test]
    fn unset_forgets_name_and_value() {
        let mut defines = Defines::default();
        defines.set("A", Some("1"));
        defines.unset("A");
        defines.unset("never there");
        assert!(!defines.contains("A"));
        assert_eq!(defines.value("A"), None);
    }

    #[test]
    fn environment_comes_second() {
        let mut defines = Defines::default();
        let name = "CARGO_PKG_NAME";
        assert_eq!(defines.value(name).as_deref(), Some("gearbox"));
        defines.set(name, Some("mine"));
        assert_eq!(defines.value(name).as_deref(), Some("mine"));
        assert_eq!(defines.value("GEARBOX_SURELY_NOT_SET"), None);
        for odd in ["", "=", "A=B", "A\0B"] {
            assert_eq!(defines.value(odd), None, "{odd:?}");
        }
    }
}
