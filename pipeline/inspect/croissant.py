"""Croissant metadata of an output: JSON-LD that dataset search and loaders read.

Source: Croissant 1.0 (http://mlcommons.org/croissant/1.0): a FileObject for each shard, a FileSet of them, a RecordSet with a
field for each column of data/.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.inspect.output import Output
from pipeline.report.card import COLUMNS

_KEYS = (
    *(
        "citeAs",
        "column",
        "equivalentProperty",
        "extract",
        "field",
        "fileProperty",
        "fileObject",
        "fileSet",
        "format",
        "includes",
    ),
    *(
        "isLiveDataset",
        "jsonPath",
        "key",
        "md5",
        "parentField",
        "path",
        "recordSet",
        "references",
        "regex",
        "repeated",
        "replace",
    ),
    *("samplingRate", "separator", "source", "subField", "transform"),
)
CONTEXT: dict[str, object] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _KEYS},
}
_TYPES = ((pa.types.is_integer, "sc:Integer"), (pa.types.is_floating, "sc:Float"), (pa.types.is_boolean, "sc:Boolean"))


def croissant(output: Output, *, name: str, licence: str | None) -> str:
    """`name`: of the dataset. Nested columns of conversations are left to their JSON."""
    shards = output.shards("data")
    with output.store.open(shards[0].path) as file:
        schema = pq.read_schema(file)
    made: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": f"Text for training language models, curated by Winnow (recipe {output.newest.recipe_hash}).",
        "license": licence or "[to fill in: the licence]",
        "url": "[to fill in: where the dataset is published]",
        "distribution": [
            *(
                {
                    "@type": "cr:FileObject",
                    "@id": shard.path,
                    "name": shard.path,
                    "contentUrl": shard.path,
                    "contentSize": f"{shard.bytes} B",
                    "encodingFormat": "application/x-parquet",
                    "sha256": shard.sha256,
                }
                for shard in shards
            ),
            {
                "@type": "cr:FileSet",
                "@id": "shards",
                "name": "shards",
                "description": "The committed shards, in order.",
                "encodingFormat": "application/x-parquet",
                "includes": "data/*.parquet",
            },
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "documents",
                "name": "documents",
                "field": [_field(field) for field in schema if not pa.types.is_nested(field.type)],
            }
        ],
    }
    return json.dumps(made, indent=1, ensure_ascii=True) + "\n"


def _field(field: pa.Field) -> dict[str, Any]:
    kind = next((name for is_one, name in _TYPES if is_one(field.type)), "sc:Text")
    return {
        "@type": "cr:Field",
        "@id": f"documents/{field.name}",
        "name": field.name,
        "description": COLUMNS.get(field.name, ""),
        "dataType": kind,
        "source": {"fileSet": {"@id": "shards"}, "extract": {"column": field.name}},
    }
