//! `portcullis explain`: what each stage would decide about a request, and why.

use super::{ConfigFile, complain};
use http::{HeaderName, HeaderValue, Method};
use std::net::IpAddr;
use std::process::ExitCode;

#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// Method of the request
    #[arg(value_parser = method)]
    pub(super) method: Method,
    /// URL of the request, or its path and query
    pub(super) url: String,
    /// Header field of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Address that the request comes from
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(super) from: IpAddr,
}

/// GLUE: `app` takes the loaded configuration and the request.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Arguments { file, method, url, .. } = arguments;
    match file.load() {
        Ok(_loaded) => complain(format_args!("error: this build cannot explain {method} {url} yet")),
        Err(code) => code,
    }
}

fn method(text: &str) -> Result<Method, String> {
    text.to_uppercase().parse().map_err(|_| "not a method: write GET, POST and so on".to_owned())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) =
        text.split_once(':').ok_or("write a name, a colon and a value: 'X-API-Key: ocr_…'")?;
    let name = name.trim().parse().map_err(|_| "this is not the name of a header field")?;
    // The error names no value: it may be a key.
    let mut value: HeaderValue =
        value.trim().parse().map_err(|_| "this is not the value of a header field")?;
    value.set_sensitive(true);
    Ok((name, value))
}
