//! Looks for the descriptor in the bytes of a file, and at what the file is if it has none.
//!
//! Nothing of the file runs. What is read here decides whether it may.

use object::elf;
use object::read::elf::Sym as _;

use mpm_abi::Descriptor;
use mpm_abi::version::MAGIC;

use super::contract::{DESCRIPTOR_LEN, HostOffer, Numbers};
use super::elf::{E, SharedObject, Sym, word};
use super::refusal::{Reason, SymbolFault, one_line};

/// What follows the descriptor's symbol in the name of abi_stable's record.
pub(super) const LAYOUT_SUFFIX: &str = "__layout";

/// The symbol by which every module of nginx is known.
const NGINX: &[u8] = b"ngx_modules";

/// Where httpd's `module` struct has its cookie, and the part of the cookie that does not change
/// with the version: `AP2` and a digit.
const HTTPD_COOKIE_AT: usize = if cfg!(target_pointer_width = "64") { 40 } else { 24 };
const HTTPD_COOKIE: &[u8] = b"AP2";

/// A file that holds the descriptor asked for, made for this host. Addresses are the file's own.
#[derive(Debug)]
pub(super) struct Inspected {
    /// Address of the descriptor.
    pub(super) descriptor_at: u64,
    /// Address of abi_stable's record, if it has one.
    #[cfg_attr(not(feature = "layout-check"), expect(dead_code, reason = "for the layout check"))]
    pub(super) layout_at: Option<u64>,
    /// The descriptor's numbers.
    pub(super) numbers: Numbers,
}

/// Looks for the descriptor `symbol` in a file and compares its numbers with the host's.
pub(super) fn inspect(bytes: &[u8], symbol: &str, offer: HostOffer) -> Result<Inspected, Reason> {
    let object = SharedObject::parse(bytes)?;
    let symbols = Symbols { object: &object, list: object.symbols()? };
    let Some(found) = symbols.find(symbol.as_bytes()) else {
        return Err(symbols.why_absent(symbol).into());
    };
    let descriptor = symbols.descriptor(found)?;
    let numbers = Numbers::parse(descriptor).ok_or(SymbolFault::NotInFile)?;
    numbers.check(offer)?;
    object.check_loading(&symbols.list)?;
    let layout = symbols.find(format!("{symbol}{LAYOUT_SUFFIX}").as_bytes());
    Ok(Inspected {
        descriptor_at: word(found.st_value(E)),
        layout_at: layout
            .filter(|layout| !layout.is_undefined(E))
            .map(|layout| word(layout.st_value(E))),
        numbers,
    })
}

/// The symbols of a shared object as the loader sees them.
struct Symbols<'data> {
    object: &'data SharedObject<'data>,
    list: Vec<(&'data [u8], &'data Sym)>,
}

impl<'data> Symbols<'data> {
    /// The symbol of this name; a definition before a use.
    fn find(&self, name: &[u8]) -> Option<&'data Sym> {
        let named = self.list.iter().filter(|(other, _)| *other == name);
        let mut named = named.map(|(_, symbol)| *symbol).filter(|symbol| !symbol.is_local());
        let first = named.next()?;
        if first.is_undefined(E) { named.next().or(Some(first)) } else { Some(first) }
    }

    /// The bytes of the symbol, if it can be a descriptor.
    fn descriptor(&self, symbol: &Sym) -> Result<&'data [u8; DESCRIPTOR_LEN], SymbolFault> {
        if symbol.is_undefined(E) {
            return Err(SymbolFault::Undefined);
        }
        match symbol.st_type() {
            elf::STT_OBJECT => {}
            elf::STT_FUNC | elf::STT_GNU_IFUNC => return Err(SymbolFault::NotData("a function")),
            elf::STT_TLS => return Err(SymbolFault::NotData("a thread-local variable")),
            _ => return Err(SymbolFault::NotData("a label without a type")),
        }
        if let Some((cookie, api)) = self.httpd_module(symbol) {
            return Err(SymbolFault::Httpd { holds: None, cookie, api });
        }
        let size = word(symbol.st_size(E));
        if size < DESCRIPTOR_LEN as u64 {
            return Err(SymbolFault::TooSmall(size));
        }
        let bytes = self.data(symbol, DESCRIPTOR_LEN).and_then(<[u8]>::first_chunk);
        let bytes = bytes.ok_or(SymbolFault::NotInFile)?;
        if !word(symbol.st_value(E)).is_multiple_of(align_of::<Descriptor>() as u64) {
            return Err(SymbolFault::Misaligned);
        }
        Ok(bytes)
    }

    /// What the file is that does not know the symbol.
    fn why_absent(&self, symbol: &str) -> SymbolFault {
        if self.object.defines_hidden(symbol.as_bytes()) {
            return SymbolFault::NotExported;
        }
        let mpms: Vec<String> = self.objects_like(|symbol| self.is_mpm(symbol)).collect();
        if !mpms.is_empty() {
            return SymbolFault::OtherMpm(mpms);
        }
        if self.find(NGINX).is_some_and(|symbol| !symbol.is_undefined(E)) {
            return SymbolFault::Nginx;
        }
        let mut httpd = self.list.iter().filter_map(|(name, symbol)| {
            let (cookie, api) = self.httpd_module(symbol)?;
            let holds = Some(one_line(&String::from_utf8_lossy(name)));
            Some(SymbolFault::Httpd { holds, cookie, api })
        });
        httpd.next().unwrap_or_else(|| {
            let soname = self.object.soname().map(String::from_utf8_lossy);
            SymbolFault::Library(soname.map(|name| one_line(&name)))
        })
    }

    fn objects_like(&self, matches: impl Fn(&Sym) -> bool) -> impl Iterator<Item = String> {
        let all = self.list.iter().filter(move |(_, symbol)| matches(symbol));
        all.map(|(name, _)| one_line(&String::from_utf8_lossy(name)))
    }

    fn is_mpm(&self, symbol: &Sym) -> bool {
        self.data(symbol, DESCRIPTOR_LEN).is_some_and(|data| data.starts_with(&MAGIC.to_ne_bytes()))
    }

    /// Cookie and version of httpd's programming interface, if the symbol is a module of httpd.
    fn httpd_module(&self, symbol: &Sym) -> Option<(String, u32)> {
        let data = self.data(symbol, HTTPD_COOKIE_AT + size_of::<usize>())?;
        let cookie = usize::from_ne_bytes(*data.get(HTTPD_COOKIE_AT..)?.first_chunk()?);
        // A number whose bytes, the highest first, are letters.
        let letters = u32::try_from(cookie).ok()?.to_be_bytes();
        let is_httpd =
            letters.starts_with(HTTPD_COOKIE) && letters.iter().all(u8::is_ascii_graphic);
        is_httpd.then_some(())?;
        let api = u32::from_ne_bytes(*data.first_chunk()?);
        Some((String::from_utf8_lossy(&letters).into_owned(), api))
    }

    /// The first `len` bytes of a data symbol, as far as they come from the file.
    fn data(&self, symbol: &Sym, len: usize) -> Option<&'data [u8]> {
        let is_data = symbol.st_type() == elf::STT_OBJECT
            && !symbol.is_undefined(E)
            && !symbol.is_absolute(E)
            && word(symbol.st_size(E)) >= len as u64;
        is_data.then(|| self.object.mapped(word(symbol.st_value(E)), len))?
    }
}
