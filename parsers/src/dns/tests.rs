//! Conversations and the rows they give.
