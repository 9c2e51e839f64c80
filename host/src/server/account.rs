//! The account children run under: `User` and `Group`.

use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User};

use super::rows::ServerSettings;
use crate::sys::process::{self, Account};

/// A user or group as `-S` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) id: u32,
}

/// Who children run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accounts {
    pub(super) account: Account,
    pub(super) user: Named,
    pub(super) group: Named,
}

/// Finds the account. Started by anybody but root, the server stays who it is.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn resolve(settings: &ServerSettings) -> Result<Accounts, String> {
    let user = match &settings.user {
        Some(name) => find_user(name)?,
        None => own_user(),
    };
    let group = match (&settings.group, &user.primary) {
        (Some(name), _) => find_group(name)?,
        (None, Some(gid)) => group_of(*gid),
        (None, None) => group_of(Gid::current().as_raw()),
    };
    Ok(Accounts {
        account: Account {
            name: CString::new(user.named.name.clone()).ok().filter(|name| !name.is_empty()),
            uid: user.named.id,
            gid: group.id,
        },
        user: user.named,
        group,
    })
}

/// Refuses to serve as root. httpd's numbers.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn check(accounts: &Accounts, settings: &ServerSettings) -> Result<(), String> {
    if !process::is_root() {
        return Ok(());
    }
    if settings.user.is_none() {
        return Err("AH00136: Server MUST relinquish startup privileges before accepting \
                    connections.  Please add a User directive (and Group), for example \
                    'User www-data'."
            .to_owned());
    }
    if accounts.account.uid == 0 {
        return Err(
            "Error: gearbox does not serve pages as root. There are known race conditions \
                    and other risks that only matter to root. Set User to another account."
                .to_owned(),
        );
    }
    Ok(())
}

/// A user, and the group that is its own.
pub(super) struct FoundUser {
    named: Named,
    primary: Option<u32>,
}

/// Finds a user by its name, or `#` and its number.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn find_user(name: &str) -> Result<FoundUser, String> {
    if let Some(id) = number(name) {
        let known = User::from_uid(Uid::from_raw(id)).ok().flatten();
        let primary = known.as_ref().map(|user| user.gid.as_raw());
        let name = known.map(|user| user.name).unwrap_or_default();
        return Ok(FoundUser { named: Named { name, id }, primary });
    }
    match User::from_name(name) {
        Ok(Some(user)) => Ok(FoundUser {
            named: Named { name: user.name, id: user.uid.as_raw() },
            primary: Some(user.gid.as_raw()),
        }),
        _ => Err(format!("AH00543: bad user name {name}")),
    }
}

/// Finds a group likewise.
///
/// # Errors
/// A sentence for the administrator.
pub(super) fn find_group(name: &str) -> Result<Named, String> {
    if let Some(id) = number(name) {
        return Ok(group_of(id));
    }
    match Group::from_name(name) {
        Ok(Some(group)) => Ok(Named { name: group.name, id: group.gid.as_raw() }),
        _ => Err(format!("AH00544: bad group name {name}")),
    }
}

/// `#33`.
fn number(name: &str) -> Option<u32> {
    name.strip_prefix('#')?.parse().ok()
}

fn group_of(id: u32) -> Named {
    let known = Group::from_gid(Gid::from_raw(id)).ok().flatten();
    Named { name: known.map(|group| group.name).unwrap_or_default(), id }
}

fn own_user() -> FoundUser {
    let id = Uid::effective();
    let known = User::from_uid(id).ok().flatten();
    let name = known.map(|user| user.name).unwrap_or_default();
    FoundUser { named: Named { name, id: id.as_raw() }, primary: None }
}
