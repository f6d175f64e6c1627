//! Figures against named anchors in the same run.
