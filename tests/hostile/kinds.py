"""What becomes of each kind of line in the hostile set's `mixed_bad_rows.jsonl`, JSONTestSuite's cases apart."""

FATES = {
    "valid_row": "document",
    "valid_row_with_escaped_NUL": "document",
    "raw_NUL_in_string(invalid JSON)": "invalid_json",
    "latin1_bytes(invalid UTF-8)": "invalid_utf8",
    "BOM_prefixed_row": "document",
    "CRLF_row": "document",
    "lone_surrogate_escape": "lone_surrogate",
    "overlong_and_CESU": "invalid_utf8",
    "text_is_number": "text_not_a_string",
    "text_is_null": "text_null",
    "text_missing": "text_missing",
    "row_is_array": "not_an_object",
    "text_is_list": "text_not_a_string",
    "text_empty": "document",
    "empty_line": "blank",
    "blank_line": "blank",
    "two_objects_on_one_line": "invalid_json",
    "row_cut_in_half": "invalid_json",
    "duplicate_keys": "document",
    "id_is_object": "document",
    "control_chars": "document",
    "zalgo_12k_combining": "document",
    "bidi_controls": "document",
    "one_2M_char_token": "document",
    "emoji_zwj": "document",
}
"""Kind → the cause in quarantine, or `document` (one of data/ or rejected/), or `blank` (no row)."""


def expected(kind: str) -> set[str]:
    """The fates that a line of this kind may have."""
    if kind.startswith("jsontestsuite:y_"):
        return {"not_an_object", "text_missing"}
    if kind.startswith("jsontestsuite:n_"):
        return {"invalid_json", "invalid_utf8", "blank"}
    if kind.startswith("jsontestsuite:"):
        return {"invalid_json", "invalid_utf8", "lone_surrogate", "not_an_object", "text_missing", "blank"}
    return {FATES[kind]}
