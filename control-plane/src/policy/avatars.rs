//! Where pictures of people may come from. A picture on any server would tell that server the address of everybody
//! who sees its user.

use railgun_protocol::limits::AVATAR_BYTES_MAX;
use reqwest::Url;

/// Hosts that are listed, beside the page's own origin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvatarHosts(Vec<Url>);

impl AvatarHosts {
    /// Each as `cdn.example.com` or `cdn.example.com:8443`. None: one of them is no host.
    #[must_use]
    pub fn of(hosts: &[String]) -> Option<Self> {
        let read = |host: &String| {
            let origin = Url::parse(&format!("https://{host}/")).ok()?;
            // Nothing else was in it that a URL may have, and it stands for itself alone.
            let is_host =
                origin.host_str()?.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
            let is_all = host.eq_ignore_ascii_case(&authority(&origin)) && is_host;
            is_all.then_some(origin)
        };
        hosts.iter().map(read).collect::<Option<_>>().map(Self)
    }

    /// As a content security policy names them.
    pub(crate) fn origins(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|origin| format!("https://{}", authority(origin)))
    }

    /// The picture's address as others are told it: a path, or an `https:` URL of a listed host.
    pub(crate) fn shown(&self, avatar: &str) -> Option<String> {
        // Browsers leave tabs and line ends out of an address, and read a backslash as a slash.
        let is_plain = avatar.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if avatar.len() > AVATAR_BYTES_MAX || !is_plain {
            return None;
        }
        if let Some(rest) = avatar.strip_prefix('/') {
            return (!rest.starts_with('/')).then(|| avatar.to_owned());
        }
        let url = Url::parse(avatar).ok()?;
        // The origin of a `blob:` URL is that of the URL in it.
        let is_listed =
            url.scheme() == "https" && self.0.iter().any(|origin| origin.origin() == url.origin());
        let has_user = !url.username().is_empty() || url.password().is_some();
        let shown = url.as_str();
        (is_listed && !has_user && shown.len() <= AVATAR_BYTES_MAX).then(|| shown.to_owned())
    }
}

fn authority(origin: &Url) -> String {
    let host = origin.host_str().unwrap_or_default();
    origin.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listed: &[&str]) -> Option<AvatarHosts> {
        AvatarHosts::of(&listed.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_path_of_the_pages_own_origin_and_a_listed_host_are_shown() {
        let listed = hosts(&["cdn.example.com", "other.example.com:8443"]).unwrap();
        for avatar in [
            "/ada.png",
            "/avatars/ada.png?size=64#round",
            "https://cdn.example.com/ada.png",
            "https://other.example.com:8443/ada.png",
        ] {
            assert_eq!(listed.shown(avatar).as_deref(), Some(avatar));
        }
        assert_eq!(
            listed.shown("HTTPS://CDN.example.com:443/a").as_deref(),
            Some("https://cdn.example.com/a")
        );
        let origins: Vec<_> = listed.origins().collect();
        assert_eq!(origins, ["https://cdn.example.com", "https://other.example.com:8443"]);
        assert_eq!(AvatarHosts::default().shown("/ada.png").as_deref(), Some("/ada.png"));
        assert_eq!(AvatarHosts::default().shown("https://cdn.example.com/ada.png"), None);
    }

    #[test]
    fn what_leads_elsewhere_is_not_shown() {
        let listed = hosts(&["cdn.example.com"]).unwrap();
        let long = format!("/{}", "a".repeat(AVATAR_BYTES_MAX));
        for avatar in [
            "",
            "ada.png",
            "//evil.example.com/a.png",
            "/\\evil.example.com/a.png",
            "/\t/evil.example.com/a.png",
            "\n//evil.example.com/a.png",
            " https://cdn.example.com/a.png",
            "javascript:alert(1)",
            "data:image/svg+xml,<svg/>",
            "blob:https://cdn.example.com/1",
            "file:///etc/passwd",
            "http://cdn.example.com/a.png",
            "https://evil.example.com/a.png",
            "https://cdn.example.com.evil.example.com/a.png",
            "https://cdn.example.com@evil.example.com/a.png",
            "https://ada:secret@cdn.example.com/a.png",
            "https://cdn.example.com:8443/a.png",
            "https:\\\\cdn.example.com\\a.png",
            "https://cdn.example.com/\u{e9}.png",
            &long,
        ] {
            assert_eq!(listed.shown(avatar), None, "{avatar}");
        }
    }

    #[test]
    fn a_host_is_a_host_and_no_more() {
        for wrong in [
            "",
            "*",
            "*.example.com",
            "https://cdn.example.com",
            "cdn.example.com/a",
            "a@b",
            "a b",
            "a;b",
            "'self'",
        ] {
            assert_eq!(hosts(&[wrong]), None, "{wrong}");
        }
        assert!(hosts(&["CDN.example.com", "[::1]:8443", "10.0.0.7"]).is_some());
    }
}
