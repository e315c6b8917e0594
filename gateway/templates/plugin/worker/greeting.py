"""What the plugin does, in plain Python: no HTTP, so that it is tested like any other module."""


def greet(greeting: str, name: str) -> str:
    return f"{greeting}, {name.strip() or 'world'}!"
