//! A live sensor on sources that are made up.
