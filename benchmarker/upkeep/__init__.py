"""Care for studies that are there: joins those of several machines, and frees what nobody needs."""
