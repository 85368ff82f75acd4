"""How far a study has come, and how long the rest will take: what runs tell, and what is made of it."""
