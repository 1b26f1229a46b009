//! What the derives say about code that cannot be right, and what they take without a warning.

#[test]
fn derives_explain_what_to_type() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass_*.rs");
    cases.compile_fail("tests/ui/fail_*.rs");
}
