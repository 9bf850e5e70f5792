//! A truth value that may be unknown, and then says why.

/// Whether something holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tri {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It cannot be known here, for this reason.
    Unknown(String),
}

impl Tri {
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(why.into())
    }

    /// The opposite; what is unknown stays so.
    pub(super) fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            unknown => unknown,
        }
    }

    /// Whether any of them holds. Nothing holds among none.
    pub(super) fn any(values: impl IntoIterator<Item = Self>) -> Self {
        let mut answer = Self::No;
        for value in values {
            match value {
                Self::Yes => return Self::Yes,
                Self::Unknown(_) if answer == Self::No => answer = value,
                _ => {}
            }
        }
        answer
    }

    /// Whether all of them hold. All among none hold.
    pub(super) fn all(values: impl IntoIterator<Item = Self>) -> Self {
        Self::any(values.into_iter().map(Self::not)).not()
    }
}

impl From<bool> for Tri {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::Tri::{No, Yes};
    use super::*;

    #[test]
    fn the_unknown_matters_only_where_it_could_change_the_outcome() {
        let unknown = || Tri::unknown("u");
        assert_eq!(Tri::any([No, unknown(), Yes]), Yes);
        assert_eq!(Tri::any([No, unknown()]), unknown());
        assert_eq!(Tri::any([]), No);
        assert_eq!(Tri::all([Yes, unknown(), No]), No);
        assert_eq!(Tri::all([Yes, unknown()]), unknown());
        assert_eq!(Tri::all([]), Yes);
        assert_eq!(unknown().not(), unknown());
    }
}
