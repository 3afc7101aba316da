import subprocess
import sys

import pytest

import gatewise


def loaded_after(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_is_light():
    loaded = loaded_after("import gatewise")
    assert loaded.isdisjoint({"torch", "numpy", "pandas", "sklearn", "scipy", "matplotlib", "typer"})


def test_help_is_light():
    loaded = loaded_after("from gatewise.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass")
    assert loaded.isdisjoint({"torch", "numpy", "pandas", "sklearn", "scipy", "matplotlib"})


def test_public_names_are_sorted_and_all_load():
    names = list(gatewise.__all__)
    assert names == sorted(names)
    for name in names:
        assert getattr(gatewise, name) is not None
    assert set(names) <= set(dir(gatewise))


def test_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="transformer"):
        _ = gatewise.transformer


def test_no_pickle_is_read_or_written_by_the_package():
    """Not from a file; the processes of one training hand each other their job over a pipe of their own."""
    from pathlib import Path

    source = Path(gatewise.__file__).parent
    forbidden = (
        "import pickle",
        "torch.load(",
        "torch.save(",
        "joblib.load(",
        "joblib.dump(",
        "allow_pickle=True",
        "import dill",
    )
    piped = {"processes.py": "cloudpickle.dumps(job)", "process_worker.py": "cloudpickle.loads(content)"}
    for path in source.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.parent.name == "training" and path.name in piped:
            assert text.count(piped[path.name]) == 1
            text = text.replace(piped[path.name], "")
        assert "pickle.load" not in text and "pickle.dump" not in text, path
        text = text.replace("safetensors.torch.", "safetensors_")
        assert not [word for word in forbidden if word in text], path
