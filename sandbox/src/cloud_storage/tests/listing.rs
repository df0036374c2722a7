//! Lists: order, prefixes, delimiters, offsets and pages.

use super::*;

impl Client {
    /// Names and prefixes of all pages, in the order they came, and the number of pages.
    async fn list(&self, query: &[(&str, &str)]) -> (Vec<String>, Vec<String>, usize) {
        let (mut names, mut prefixes, mut pages) = (Vec::new(), Vec::new(), 0);
        let mut token: Option<String> = None;
        loop {
            let request = self.request(Method::GET, &format!("/storage/v1/b/{BUCKET}/o")).query(query);
            let request = token.iter().fold(request, |request, token| request.query(&[("pageToken", token)]));
            let page = object(request.send().await.unwrap()).await;
            pages += 1;
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            names.extend(page["items"].as_array().into_iter().flatten().map(|item| text(&item["name"])));
            prefixes.extend(page["prefixes"].as_array().into_iter().flatten().map(text));
            token = page.get("nextPageToken").map(text);
            if token.is_none() {
                return (names, prefixes, pages);
            }
        }
    }
}

#[tokio::test]
async fn names_come_in_order_of_their_bytes() {
    let client = client().await;
    for name in ["b", "a/2", "a/10", "a-1", "é", "a/b/c", "ab"] {
        client.stored(name, name).await;
    }
    let all = ["a-1", "a/10", "a/2", "a/b/c", "ab", "b", "é"];
    assert_eq!(client.list(&[]).await.0, all);
    for page in ["1", "2", "3", "7"] {
        let (names, _, pages) = client.list(&[("maxResults", page)]).await;
        assert_eq!(names, all);
        assert_eq!(pages, 7_usize.div_ceil(page.parse().unwrap()), "pages of {page}");
    }
    assert_eq!(client.list(&[("prefix", "a/")]).await.0, ["a/10", "a/2", "a/b/c"]);
    assert_eq!(client.list(&[("prefix", "a/b")]).await.0, ["a/b/c"]);
    assert_eq!(client.list(&[("prefix", "nothing")]).await.0, Vec::<String>::new());
    assert_eq!(client.list(&[("startOffset", "a/2"), ("endOffset", "b")]).await.0, ["a/2", "a/b/c", "ab"]);
}

#[tokio::test]
async fn delimiters_fold_names_into_prefixes() {
    let client = client().await;
    for name in ["run/1/a", "run/1/b", "run/2/a", "run/top", "zebra"] {
        client.stored(name, name).await;
    }
    for page in ["1", "2", "1000"] {
        let (names, prefixes, _) = client.list(&[("delimiter", "/"), ("prefix", "run/"), ("maxResults", page)]).await;
        assert_eq!((names, prefixes), (vec!["run/top".to_owned()], vec!["run/1/".to_owned(), "run/2/".to_owned()]));
    }
    let (names, prefixes, _) = client.list(&[("delimiter", "/")]).await;
    assert_eq!((names, prefixes), (vec!["zebra".to_owned()], vec!["run/".to_owned()]));
}

#[tokio::test]
async fn deleted_objects_and_their_folders_are_gone() {
    let client = client().await;
    client.stored("run/1/a", "x").await;
    assert_eq!(client.delete("run/1/a", "").await.status(), 204);
    assert_eq!(client.list(&[]).await.0, Vec::<String>::new());
    assert!(!client.server.object_path(BUCKET, "run").exists());
    client.stored("run", "a file where a folder was").await;
    assert_eq!(client.list(&[]).await.0, ["run"]);
}

#[tokio::test]
async fn what_cannot_be_served_is_refused() {
    let client = client().await;
    for (path, status) in [
        (format!("/storage/v1/b/{BUCKET}/o?matchGlob=**"), 400),
        (format!("/storage/v1/b/{BUCKET}/o?maxResults=0"), 400),
        (format!("/storage/v1/b/{BUCKET}/o?pageToken=%25"), 400),
        ("/storage/v1/b/nothing/o".to_owned(), 404),
        ("/storage/v1/b".to_owned(), 400),
        ("/elsewhere".to_owned(), 404),
    ] {
        let response = client.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(refused(response).await.0, status, "{path}");
    }
}
