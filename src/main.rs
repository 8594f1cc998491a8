//! temporary
fn main() {
    let args: Vec<String> = std::env::args().collect();
    portcullis::telemetry::log::init().unwrap();
    match args[1].as_str() {
        "demo" => portcullis::demo::run(&Default::default()).unwrap(),
        "serve" => {
            let path = std::path::Path::new(&args[3]);
            let loaded = portcullis::config::Config::load(path).map_err(|e| { eprintln!("{e}"); std::process::exit(1) }).unwrap();
            let g = portcullis::app::Gateway::start(loaded, Some(path)).unwrap();
            g.until_stopped().unwrap();
        }
        "import" => {
            let loaded = portcullis::config::Config::load(std::path::Path::new(&args[3])).map_err(|e| { eprintln!("{e}"); std::process::exit(1) }).unwrap();
            let text = std::fs::read_to_string(&args[4]).unwrap();
            let fixture = portcullis::store::import::parse(&text, &args[4]).map_err(|e| eprintln!("{e}")).unwrap();
            let store = portcullis::store::open(&loaded.config.store.url).unwrap();
            let rt = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            println!("{:?}", rt.block_on(store.import(&fixture, portcullis::clock::Clock::new().now().unix_ms)).unwrap());
        }
        _ => {}
    }
}
