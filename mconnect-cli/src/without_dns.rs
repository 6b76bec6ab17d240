//! The place of mail exchangers in a tool that was built without asking name servers.

use std::convert::Infallible;
use std::marker::PhantomData;

use mconnect_core::{Connect, Session};

use crate::failure::{Failure, Status};
use crate::options::Options;
use crate::verdict::Verdict;

/// There are none.
pub struct Exchangers<'a>(Infallible, PhantomData<&'a ()>);

impl<'a> Exchangers<'a> {
    /// # Errors
    /// The options ask for them.
    pub fn find(_: &'a Options) -> Result<Self, Failure> {
        Err(Failure::new(Status::Usage, "this mconnect was built without --mx (the feature dns)"))
    }

    pub fn open(&self, _: &Connect, _: &Verdict, _: impl Fn(Connect) -> Result<Session, Failure>) -> Option<Session> {
        match self.0 {}
    }
}

/// # Errors
/// None: nobody is greeted here.
pub fn greeted(session: Session, _: &Verdict) -> Result<Session, Failure> {
    Ok(session)
}
