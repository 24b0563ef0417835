//! Schemas of one's own in a PostgreSQL: one run does not find what another one left.

use tokio_postgres::{Client, NoTls};

use crate::failure::{Failure, Outcome, said};

/// A schema that is there until it is removed.
pub struct Schema {
    client: Client,
    name: String,
    /// The URL of the database with this schema as the only one.
    pub url: String,
}

impl Schema {
    /// Makes one of this name.
    pub async fn make(url: &str, name: String) -> Outcome<Schema> {
        let client = connect(url).await?;
        let schema = Schema {
            url: within(url, &name),
            client,
            name,
        };
        schema
            .run(&format!("CREATE SCHEMA {}", schema.name))
            .await?;
        Ok(schema)
    }

    /// Removes it with everything in it.
    pub async fn remove(self) -> Outcome<()> {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.name))
            .await
    }

    async fn run(&self, sql: &str) -> Outcome<()> {
        let ran = self.client.batch_execute(sql).await;
        ran.map_err(|error| asked(&error))
    }
}

/// The URL of a database with a schema as the only one.
pub fn within(url: &str, schema: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}options=-csearch_path%3D{schema}")
}

/// A connection to a server.
pub async fn connect(url: &str) -> Outcome<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .map_err(|error| asked(&error))?;
    tokio::spawn(connection);
    Ok(client)
}

/// What an error of PostgreSQL says.
pub fn asked(error: &tokio_postgres::Error) -> Failure {
    let said_by_it = error.as_db_error().map(ToString::to_string);
    let why = said_by_it.unwrap_or_else(|| error.to_string());
    said(format!("PostgreSQL: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_named_behind_whatever_the_url_says_already() {
        let option = "options=-csearch_path%3Dbench";
        assert_eq!(
            within("postgres://h/d", "bench"),
            format!("postgres://h/d?{option}")
        );
        let more = "postgres://h/d?host=/tmp";
        assert_eq!(within(more, "bench"), format!("{more}&{option}"));
    }
}
