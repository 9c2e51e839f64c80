//! Settings: one struct per part of the server, found by its type.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt::{self, Debug};

/// The settings of one part of the server.
///
/// Its fields are usually `Option`s, so that "not set" can be told from "set to the default".
pub trait Part: Any + Debug + Clone + Default + Send + Sync {
    /// Lays `inner`, of a more specific section, over these: what it sets wins.
    fn merge(&mut self, inner: &Self);
}

/// At most one value of each [`Part`].
///
/// Knows none of the types, so that a part of the server owns its settings and nothing else
/// depends on them.
#[derive(Clone, Default)]
pub struct Settings {
    /// Invariant: each value is of the type that its key names.
    parts: BTreeMap<TypeId, Box<dyn AnyPart>>,
}

impl Settings {
    /// The part's settings, its defaults if none was ever set.
    pub fn of<T: Part>(&self) -> T {
        self.get().cloned().unwrap_or_default()
    }

    /// The part's settings, if any was set.
    pub fn get<T: Part>(&self) -> Option<&T> {
        let part = self.parts.get(&TypeId::of::<T>())?;
        part.as_any().downcast_ref()
    }

    /// The part's settings for writing; begins with its defaults.
    #[expect(
        clippy::expect_used,
        reason = "the entry's key is the type: see the invariant of `parts`"
    )]
    pub fn of_mut<T: Part>(&mut self) -> &mut T {
        self.parts
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Box::new(T::default()))
            .as_any_mut()
            .downcast_mut()
            .expect("the entry of a type holds a value of that type")
    }

    /// Lays the settings of a more specific section over these, part by part.
    pub fn merge(&mut self, inner: &Self) {
        for (id, part) in &inner.parts {
            match self.parts.get_mut(id) {
                Some(outer) => outer.merge_any(part.as_any()),
                None => {
                    self.parts.insert(*id, part.clone());
                }
            }
        }
    }
}

impl Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.parts.values()).finish()
    }
}

/// [`Part`] without its type.
trait AnyPart: Any + Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn clone_any(&self) -> Box<dyn AnyPart>;
    /// Does nothing if `inner` is of another type.
    fn merge_any(&mut self, inner: &dyn Any);
}

impl<T: Part> AnyPart for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn clone_any(&self) -> Box<dyn AnyPart> {
        Box::new(self.clone())
    }

    fn merge_any(&mut self, inner: &dyn Any) {
        if let Some(inner) = inner.downcast_ref() {
            self.merge(inner);
        }
    }
}

impl Clone for Box<dyn AnyPart> {
    fn clone(&self) -> Self {
        (**self).clone_any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Limits {
        line: Option<u32>,
        body: Option<u32>,
    }

    impl Part for Limits {
        fn merge(&mut self, inner: &Self) {
            self.line = inner.line.or(self.line);
            self.body = inner.body.or(self.body);
        }
    }

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Names(Vec<&'static str>);

    impl Part for Names {
        fn merge(&mut self, inner: &Self) {
            self.0.extend(&inner.0);
        }
    }

    #[test]
    fn unset_is_default_and_absent() {
        let settings = Settings::default();
        assert_eq!(settings.of::<Limits>(), Limits::default());
        assert_eq!(settings.get::<Limits>(), None);
        assert_eq!(format!("{settings:?}"), "{}");
    }

    #[test]
    fn each_type_has_its_own_value() {
        let mut settings = Settings::default();
        settings.of_mut::<Limits>().line = Some(1);
        settings.of_mut::<Names>().0.push("a");
        settings.of_mut::<Limits>().body = Some(2);
        let expected = Limits { line: Some(1), body: Some(2) };
        assert_eq!(settings.get(), Some(&expected));
        assert_eq!(settings.of::<Names>(), Names(vec!["a"]));
    }

    #[test]
    fn inner_wins_where_it_is_set() {
        let mut outer = Settings::default();
        *outer.of_mut() = Limits { line: Some(1), body: Some(2) };
        let mut inner = Settings::default();
        inner.of_mut::<Limits>().body = Some(3);
        inner.of_mut::<Names>().0.push("inner");
        outer.merge(&inner);
        let expected = Limits { line: Some(1), body: Some(3) };
        assert_eq!(outer.of::<Limits>(), expected);
        assert_eq!(outer.of::<Names>(), Names(vec!["inner"]));
        assert_eq!(inner.of::<Limits>().line, None);
    }

    #[test]
    fn a_clone_is_independent() {
        let mut first = Settings::default();
        first.of_mut::<Names>().0.push("a");
        let mut second = first.clone();
        second.of_mut::<Names>().0.push("b");
        second.merge(&Settings::default());
        assert_eq!(first.of::<Names>(), Names(vec!["a"]));
        assert_eq!(second.of::<Names>(), Names(vec!["a", "b"]));
    }

    #[test]
    fn another_type_is_not_merged() {
        let mut limits = Limits::default();
        limits.merge_any(&Names(vec!["a"]));
        assert_eq!(limits, Limits::default());
    }
}
