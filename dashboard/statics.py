"""Static files under names that hold their content's hash, compressed once, so that browsers keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """`import … from "./x.js"` in our modules is rewritten too. A file outside the manifest keeps its plain name."""

    support_js_module_import_aggregation = True
    manifest_strict = False
