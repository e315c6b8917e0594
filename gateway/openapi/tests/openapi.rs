//! What is true of every document that is merged, and of every one that is made for FrameX.

mod openapi {
    mod arbitrary;
    mod checks;
    mod framex;
    mod hostile;
    mod properties;
    mod recorded;
}
