"""Identity providers: who issues tokens that open Tether, what is fetched from them, and what their tokens say."""
