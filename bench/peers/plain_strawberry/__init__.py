"""Plain Strawberry with its data loaders, over asyncpg: what Tether would be without its documents."""
