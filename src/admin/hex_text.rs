//! Bytes in JSON, as a text of lower-case hex; for `serde(with)`.

use std::sync::Arc;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub fn serialize<S: Serializer>(
    bytes: &Option<Arc<[u8]>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    bytes.as_deref().map(hex::encode).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Arc<[u8]>>, D::Error> {
    let text: Option<String> = Option::deserialize(deserializer)?;
    let bytes = text.map(|text| hex::decode(text).map(Arc::from));
    // The error of the decoder shows a character of the text.
    bytes
        .transpose()
        .map_err(|_| D::Error::custom("a reply is not hex"))
}
