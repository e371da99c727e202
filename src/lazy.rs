//! What is empty most of the time, and then takes the space of a pointer.

use std::ops::{Deref, DerefMut};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A value that is allocated when it is changed for the first time. Until then it behaves like the empty one.
///
/// To change what need not be there, ask [`Lazy::made_mut`]: it makes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lazy<T>(Option<Box<T>>);

/// What can be empty.
pub(crate) trait Empty: Default + 'static {
    /// The empty one, for all who have none of their own.
    fn empty() -> &'static LazyLock<Self>;
}

/// Says that types can be empty.
macro_rules! can_be_empty {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::lazy::Empty for $type {
            fn empty() -> &'static std::sync::LazyLock<Self> {
                static EMPTY: std::sync::LazyLock<$type> = std::sync::LazyLock::new(<$type>::default);
                &EMPTY
            }
        }
    )*};
}
pub(crate) use can_be_empty;

impl<T> Lazy<T> {
    /// What was made of it, if it was changed.
    pub(crate) fn made_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<T> for Lazy<T> {
    fn from(value: T) -> Self {
        Self(Some(Box::new(value)))
    }
}

impl<T: Empty> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Some(made) => made,
            None => T::empty(),
        }
    }
}

impl<T: Empty> DerefMut for Lazy<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Names(Vec<String>);
    can_be_empty!(Names);

    #[test]
    fn it_is_empty_until_it_is_changed() {
        let mut names = Lazy::<Names>::default();
        assert!(names.0.is_none() && Names::empty().0.is_empty());
        assert_eq!(*names, Names::default());
        assert!(names.made_mut().is_none(), "to look makes nothing");
        assert_eq!(size_of_val(&names), size_of::<usize>());
        Names::push(&mut names, "alice");
        assert_eq!(*names, Names(vec!["alice".to_owned()]));
        assert!(names.made_mut().is_some());
        assert_eq!(*Lazy::<Names>::default(), Names::default(), "the others are empty");
    }

    #[test]
    fn it_is_written_as_what_it_is() {
        let mut names = Lazy::<Names>::default();
        assert_eq!(serde_json::to_string(&names).unwrap(), "null");
        Names::push(&mut names, "alice");
        let text = serde_json::to_string(&names).unwrap();
        assert_eq!(text, r#"["alice"]"#);
        assert_eq!(*serde_json::from_str::<Lazy<Names>>(&text).unwrap(), *names);
        assert!(serde_json::from_str::<Lazy<Names>>("null").unwrap().made_mut().is_none());
    }

    impl Names {
        fn push(&mut self, name: &str) {
            self.0.push(name.to_owned());
        }
    }
}
