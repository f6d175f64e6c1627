use std::io::ErrorKind;
use std::path::Path;
use std::sync::mpsc;

use super::Folders;

#[tokio::test(start_paused = true)]
async fn a_folder_that_does_not_answer_is_given_up_and_not_looked_at_again_until_it_has_answered() {
    let (folders, dead, good) = (Folders::default(), Path::new("/dead"), Path::new("/good"));
    let (answer, answers) = mpsc::channel::<()>();
    let gone = folders.look(dead, move || answers.recv().is_ok()).await;
    assert_eq!(gone.unwrap_err().kind(), ErrorKind::TimedOut);
    let (looked, looks) = mpsc::channel();
    let again = || {
        let looked = looked.clone();
        folders.look(dead, move || looked.send(()).is_ok())
    };
    assert_eq!(again().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(looks.try_recv().is_err(), "nobody is sent after who has not come back");
    assert!(folders.is_silent(good).is_none(), "another folder is another matter");
    answer.send(()).unwrap();
    while folders.is_silent(dead).is_some() {
        std::thread::yield_now();
    }
    // Who gives up waiting leaves the looker counted.
    let (answer, answers) = mpsc::channel::<()>();
    let dropped = folders.look(dead, move || answers.recv().is_ok());
    let brief = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(brief, dropped).await.is_err());
    assert!(folders.is_silent(dead).is_none(), "it may only be slow");
    tokio::time::advance(super::PATIENCE).await;
    assert!(folders.is_silent(dead).is_some());
    answer.send(()).unwrap();
    while folders.is_silent(dead).is_some() {
        std::thread::yield_now();
    }
    // Nothing else is at work here that the paused clock could overtake.
    tokio::time::resume();
    assert!(again().await.unwrap());
    assert!(looks.try_recv().is_ok());
}
