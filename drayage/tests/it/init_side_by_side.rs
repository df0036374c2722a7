//! Several `drayage init` in one folder: none loses what another has written.

use crate::world::{Ended, SECRET, World};
use contract::secret::Dotenv;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::Command;

fn command(world: &World, account: &str, pipeline: &str) -> Command {
    let settings = world.settings();
    let mut arguments = vec!["init", "servicetitan", "--account", account, "--pipeline", pipeline];
    arguments.extend(["--stream", "campaigns", "--no-connect"]);
    arguments.extend(settings.iter().map(String::as_str));
    world.program(env!("CARGO_BIN_EXE_drayage"), &arguments)
}

#[test]
fn all_of_many_keep_their_secrets() {
    let world = World::new();
    let names = ["a", "b", "c", "d", "e", "f"];
    let start = |name: &&str| command(&world, name, &format!("{name}.yaml")).spawn().unwrap();
    let running: Vec<_> = names.iter().map(start).collect();
    for child in running {
        Ended::of(child.wait_with_output().unwrap()).expect(0);
    }
    let dotenv = Dotenv::beside(world.folder()).unwrap();
    for name in names {
        assert!(world.path(&format!("{name}.yaml")).exists());
        let variable = format!("{}_CLIENT_SECRET", name.to_uppercase());
        assert_eq!(dotenv.get(&variable).map(|secret| secret.expose()), Some(SECRET), "{variable}");
    }
    assert!(world.names().iter().all(|name| !name.starts_with(".drayage-")), "{:?}", world.names());
}

#[test]
fn a_second_one_waits_and_reads_what_the_first_has_written() {
    for (first_writes, code) in [("first.yaml", 0), ("second.yaml", 2)] {
        let world = World::new();
        let lock = File::create(world.path(".drayage-lock")).unwrap();
        lock.lock().unwrap();
        let mut second = command(&world, "acme-hvac", "second.yaml").spawn().unwrap();
        let mut err = BufReader::new(second.stderr.take().unwrap());
        let mut said = String::new();
        err.read_line(&mut said).unwrap();
        assert!(said.starts_with("waiting for another `drayage init` that is writing into ."), "{said}");

        assert!(!world.path("second.yaml").exists());
        fs::write(world.path(".env"), "FIRST='1'\nACME_HVAC_APP_KEY='of the first'\n").unwrap();
        fs::write(world.path(first_writes), "mine\n").unwrap();
        fs::remove_file(world.path(".drayage-lock")).unwrap();
        drop(lock);

        let ended = Ended::of(second.wait_with_output().unwrap());
        err.read_to_string(&mut said).unwrap();
        assert_eq!(ended.code, Some(code), "{said}");
        assert_eq!(world.text(first_writes), "mine\n");
        let env = world.text(".env");
        assert!(env.starts_with("FIRST='1'\nACME_HVAC_APP_KEY='of the first'\n"), "{env}");
        if code == 0 {
            assert!(env.contains("ACME_HVAC_CLIENT_SECRET=") && env.contains("ACME_HVAC_APP_KEY_2="), "{env}");
        } else {
            assert!(said.contains("second.yaml is there already") && !env.contains("CLIENT_SECRET"), "{said}\n{env}");
        }
        assert!(!world.path(".drayage-lock").exists());
    }
}
