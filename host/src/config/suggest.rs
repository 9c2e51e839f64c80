//! What an unknown name may have meant.

/// Directives that MPMs define, and which of them do. Who sees one of these refused has most
/// likely loaded another MPM, or none.
const MPM_DIRECTIVES: [(&str, &[&str]); 14] = [
    ("AsyncRequestWorkerFactor", &[EVENT]),
    ("MaxClients", &[EVENT, WORKER, PREFORK]),
    ("MaxConnectionsPerChild", &[EVENT, WORKER, PREFORK]),
    ("MaxRequestWorkers", &[EVENT, WORKER, PREFORK]),
    ("MaxRequestsPerChild", &[EVENT, WORKER, PREFORK]),
    ("MaxSpareServers", &[PREFORK]),
    ("MaxSpareThreads", &[EVENT, WORKER]),
    ("MinSpareServers", &[PREFORK]),
    ("MinSpareThreads", &[EVENT, WORKER]),
    ("ServerLimit", &[EVENT, WORKER, PREFORK]),
    ("StartServers", &[EVENT, WORKER, PREFORK]),
    ("ThreadLimit", &[EVENT, WORKER]),
    ("ThreadStackSize", &[EVENT, WORKER]),
    ("ThreadsPerChild", &[EVENT, WORKER]),
];

const EVENT: &str = "mpm_event_module";
const WORKER: &str = "mpm_worker_module";
const PREFORK: &str = "mpm_prefork_module";

/// Most mistakes forgiven, however long the name.
const DISTANCE_MAX: usize = 2;

/// The MPMs that define a directive; none if it is not one of theirs.
pub(super) fn mpms_with(name: &str) -> &'static [&'static str] {
    let known = MPM_DIRECTIVES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map_or(&[], |(_, mpms)| mpms)
}

/// The MPMs that httpd has.
pub(super) fn mpms() -> impl Iterator<Item = &'static str> {
    [EVENT, WORKER, PREFORK].into_iter()
}

/// The names of all directives that MPMs are known to define.
pub(super) fn mpm_directives<'a>() -> impl Iterator<Item = &'a str> {
    MPM_DIRECTIVES.into_iter().map(|(name, _)| name)
}

/// The known name nearest to `name`, the first of several equally near. At most two mistakes, and
/// no more than one in three characters: a swap of neighbours counts as one.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = name.to_ascii_lowercase().chars().collect();
    let most = DISTANCE_MAX.min(typed.len() / 3);
    let near = known.into_iter().filter_map(|known| {
        let letters: Vec<char> = known.to_ascii_lowercase().chars().collect();
        let is_near = typed.len().abs_diff(letters.len()) <= most;
        let distance = is_near.then(|| distance(&typed, &letters))?;
        (distance <= most).then_some((distance, known))
    });
    let nearest = near.min_by_key(|(distance, _)| *distance);
    nearest.map(|(_, known)| known)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words (the optimal
/// string alignment distance).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut two_above = above.clone();
    let mut previous = None;
    for (row, &x) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left = row + 1;
        let mut before = None;
        let cells = b.iter().zip(above.iter().zip(above.iter().skip(1)));
        // `swapped` is two rows up and two columns to the left of the cell, once there is one.
        let swaps = std::iter::once(None).chain(two_above.iter().copied().map(Some));
        for ((&y, (&diagonal, &up)), swapped) in cells.zip(swaps) {
            let mut cell = (diagonal + usize::from(x != y)).min(left + 1).min(up + 1);
            if let Some(swapped) = swapped
                && previous == Some(y)
                && before == Some(x)
            {
                cell = cell.min(swapped + 1);
            }
            current.push(cell);
            left = cell;
            before = Some(y);
        }
        two_above = std::mem::replace(&mut above, current);
        previous = Some(x);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(a: &str, b: &str) -> usize {
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        distance(&letters(a), &letters(b))
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "ab", 1),
            ("abc", "xabc", 1),
            ("abcd", "abdc", 1),
            ("ab", "ba", 1),
            ("abcd", "badc", 2),
            ("ca", "abc", 3),
            ("kitten", "sitting", 3),
            ("Listne", "Listen", 1),
        ] {
            assert_eq!(between(a, b), expected, "{a} {b}");
            assert_eq!(between(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn near_names() {
        let known = ["Listen", "ListenBacklog", "Timeout", "User"];
        for (name, expected) in [
            ("Listne", "Listen"),
            ("LISTNE", "Listen"),
            ("Lsten", "Listen"),
            ("ListenBacklgo", "ListenBacklog"),
            ("ListnBackLg", "ListenBacklog"),
            ("Usr", "User"),
        ] {
            assert_eq!(nearest(name, known), Some(expected), "{name}");
        }
    }

    #[test]
    fn far_names() {
        let known = ["Listen", "ListenBacklog", "Timeout", "On"];
        for name in ["", "O", "Of", "Lixxxn", "ListenBckLg__", "Include", "Listen443"] {
            assert_eq!(nearest(name, known), None, "{name}");
        }
        assert_eq!(nearest("Lixxen", known), Some("Listen"));
        assert_eq!(nearest("Lixen", known), None, "two in five are too many");
    }

    #[test]
    fn the_nearest_wins_then_the_first() {
        assert_eq!(nearest("Listens", ["Listening", "Listen"]), Some("Listen"));
        assert_eq!(nearest("abcdef", ["abcdeX", "abcdeY"]), Some("abcdeX"));
    }

    #[test]
    fn a_huge_name_is_compared_with_nothing() {
        assert_eq!(nearest(&"x".repeat(1 << 20), ["Listen"]), None);
    }

    #[test]
    fn mpms() {
        assert_eq!(mpms_with("startSERVERS"), [EVENT, WORKER, PREFORK]);
        assert_eq!(mpms_with("MinSpareServers"), [PREFORK]);
        assert!(mpms_with("Listen").is_empty());
        assert!(mpm_directives().all(|name| !mpms_with(name).is_empty()));
    }
}
