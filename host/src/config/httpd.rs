//! Names of Apache httpd 2.4 that are not there yet: who writes one has made no mistake in typing.

/// Directives of httpd's core and of the modules its distributions load, in lower case.
const DIRECTIVES: &str = "\
    acceptfilter acceptmutex acceptpathinfo accessfilename action addalt addaltbyencoding addaltbytype \
    addcharset adddefaultcharset adddescription addencoding addhandler addicon addiconbyencoding \
    addiconbytype addinputfilter addlanguage addmoduleinfo addoutputfilter addoutputfilterbytype addtype \
    alias aliasmatch allow allowconnect allowencodedslashes allowmethods allowoverridelist anonymous \
    anonymous_logemail authbasicauthoritative authbasicfake authbasicprovider authdbmgroupfile \
    authdbmuserfile authdigestalgorithm authdigestdomain authdigestprovider authformprovider \
    authgroupfile authldapbinddn authldapbindpassword authldapurl authmerging authname authtype \
    authuserfile balancermember brotlicompressionquality browsermatch browsermatchnocase \
    bufferedlogs cachedefaultexpire cachedisable cacheenable cacheignorecachecontrol cacheignoreheaders \
    cachelastmodifiedfactor cachelock cachemaxexpire cachequickhandler cacheroot cgimapextension \
    cgipassauth cgivar charsetdefault charsetsourceenc checkspelling contentdigest cookieexpires \
    cookiename cookietracking coredumpdirectory dav davdepthinfinity davlockdb davmintimeout defaultruntimedir \
    defaulticon defaultlanguage defaulttype deflatebuffersize deflatecompressionlevel \
    deflatefilternote deny directorycheckhandler directoryindexredirect directoryslash dtraceprivileges \
    dumpioinput dumpiooutput enableexceptionhook enablemmap errordocument errorlogformat \
    expiresactive expiresbytype expiresdefault extendedstatus extfilterdefine extfilteroptions \
    fallbackresource fileetag filterchain filterdeclare filterprotocol filterprovider flushmaxpipelined \
    flushmaxthreshold forcelanguagepriority forcetype globallog gprofdir h2direct h2earlyhints \
    h2maxsessionstreams h2minworkers h2maxworkers h2moderntlsonly h2push h2pushresource h2upgrade \
    header headername hostnamelookups httpprotocoloptions identitycheck identitychecktimeout \
    imapbase imapdefault imapmenu indexheadinsert indexignore indexignorereset indexoptions \
    indexorderdefault indexstylesheet isapicachefile keptbodysize languagepriority ldapcacheentries \
    ldaptrustedglobalcert ldapverifyservercert limitinternalrecursion limitrequestbody \
    limitrequestfields limitrequestfieldsize limitrequestline limitxmlrequestbody listenbacklog \
    listencoresbucketsratio logiotrackttfb logmessage luahookaccesschecker \
    maxmemfree maxrangeoverlaps maxrangereversals maxranges \
    mdcertificateagreement mdomain mdprivatekeys merge mergeslashes mergetrailers metadir metafiles \
    metasuffix mimemagicfile multiviewsmatch mutex namevirtualhost noproxy nwssltrustedcerts \
    order outputsed passenv privilegesmode protocol protocolecho protocols \
    protocolshonororder proxyaddheaders proxybadheader proxyblock proxydomain proxyerroroverride \
    proxyiobuffersize proxymatch proxymaxforwards proxypass proxypassinherit proxypassmatch \
    proxypassreverse proxypassreversecookiedomain proxypassreversecookiepath proxypreservehost \
    proxyreceivebuffersize proxyremote proxyrequests proxyset proxystatus proxytimeout proxyvia \
    qualifyredirecturl readmename receivebuffersize redirect redirectmatch redirectpermanent \
    redirecttemp reflectorheader regexdefaultoptions registerhttpmethod remoteipheader \
    remoteipinternalproxy remoteiptrustedproxy removecharset removeencoding removehandler \
    removeinputfilter removelanguage removeoutputfilter removetype requestheader requestreadtimeout \
    rewritebase rewritecond rewriteengine rewritelog rewriteloglevel rewritemap rewriteoptions \
    rewriterule rlimitcpu rlimitmem rlimitnproc satisfy scoreboardfile script scriptalias \
    scriptaliasmatch scriptinterpretersource scriptlog scriptlogbuffer scriptloglength scriptsock \
    securelisten sendbuffersize serveradmin serveralias serverpath serversignature \
    servertokens session sessioncookiename sessionmaxage setenv setenvif setenvifexpr setenvifnocase \
    sethandler setinputfilter setoutputfilter ssiendtag ssierrormsg ssietag ssilastmodified \
    ssilegacyexprparser ssistarttag ssitimeformat ssiundefinedecho sslcacertificatefile \
    sslcacertificatepath sslcarevocationfile sslcertificatechainfile sslcertificatefile \
    sslcertificatekeyfile sslciphersuite sslcompression sslcryptodevice sslengine sslfips \
    sslhonorcipherorder sslinsecurerenegotiation sslocspenable ssloptions sslpassphrasedialog \
    sslprotocol sslproxyengine sslproxyverify sslrandomseed sslrequire sslrequiressl sslsessioncache \
    sslsessioncachetimeout sslsessiontickets sslstaplingcache sslstrictsnivhostcheck sslusername \
    sslusestapling sslverifyclient sslverifydepth stricthostcheck substitute suexec suexecusergroup \
traceenable transferlog typesdir unsetenv use usecanonicalname \
    usecanonicalphysicalport userdir vhostcgimode virtualdocumentroot virtualdocumentrootip \
    virtualscriptalias watchdoginterval xbithack xml2encdefault";

/// Modules of httpd, without their `_module`.
const MODULES: &str = "\
    access_compat actions alias allowmethods asis auth_basic auth_digest auth_form authn_anon \
    authn_core authn_dbd authn_dbm authn_file authn_socache authnz_fcgi authnz_ldap authz_dbd \
    authz_dbm authz_groupfile authz_host authz_owner authz_user autoindex brotli bucketeer buffer \
    cache cache_disk cache_socache cern_meta cgi cgid charset_lite data dav dav_fs \
    dav_lock dbd deflate dialup dumpio echo env expires ext_filter file_cache filter headers \
    heartbeat heartmonitor http2 ident imagemap include info lbmethod_bybusyness \
    lbmethod_byrequests lbmethod_bytraffic lbmethod_heartbeat ldap log_debug log_forensic logio lua \
    macro md mime_magic mpm_itk negotiation perl php php5 php7 proxy \
    proxy_ajp proxy_balancer proxy_connect proxy_express proxy_fcgi proxy_fdpass proxy_ftp \
    proxy_hcheck proxy_html proxy_http proxy_http2 proxy_scgi proxy_uwsgi proxy_wstunnel python \
    ratelimit reflector remoteip reqtimeout request rewrite sed session session_cookie \
    session_crypto session_dbd setenvif slotmem_plain slotmem_shm socache_dbm socache_memcache \
    socache_redis socache_shmcb speling ssl status substitute suexec systemd unique_id userdir \
    usertrack version vhost_alias watchdog wsgi xml2enc";

/// Whether httpd, or a module it comes with, has a directive of this name.
pub(super) fn has_directive(name: &str) -> bool {
    DIRECTIVES.split_ascii_whitespace().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether httpd has a module of this name, with or without `_module`, that is not there yet.
pub fn is_httpd_module(name: &str) -> bool {
    let name = name.strip_suffix("_module").unwrap_or(name);
    MODULES.split_ascii_whitespace().any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_any_case() {
        for name in ["AddType", "errordocument", "RewriteEngine", "SSLEngine", "TraceEnable"] {
            assert!(has_directive(name), "{name}");
        }
        assert!(!has_directive("AddTyp"));
        assert!(!has_directive(""));
    }

    #[test]
    fn modules() {
        assert!(is_httpd_module("ssl_module") && is_httpd_module("rewrite"));
        assert!(!is_httpd_module("mpm_event_module") && !is_httpd_module("core_module"));
        assert!(!is_httpd_module("_module"));
    }
}
