"""Countries and cities: capitals, cities, continents, main languages, currencies."""

from __future__ import annotations

from core.skiff.world.tables import Table, parse_rows

CAPITALS = Table(
    name="capitals",
    rows=parse_rows("""
        France=Paris; Germany=Berlin; Italy=Rome; Spain=Madrid; Portugal=Lisbon; England=London; Ireland=Dublin
        Scotland=Edinburgh; Wales=Cardiff; Poland=Warsaw; Austria=Vienna; Hungary=Budapest; Greece=Athens
        Norway=Oslo; Sweden=Stockholm; Finland=Helsinki; Denmark=Copenhagen; Iceland=Reykjavik
        the Netherlands=Amsterdam; Belgium=Brussels; Switzerland=Bern; the Czech Republic=Prague; Slovakia=Bratislava
        Slovenia=Ljubljana; Croatia=Zagreb; Serbia=Belgrade; Romania=Bucharest; Bulgaria=Sofia; Albania=Tirana
        Estonia=Tallinn; Latvia=Riga; Lithuania=Vilnius; Ukraine=Kyiv; Belarus=Minsk; Moldova=Chisinau; Malta=Valletta
        Russia=Moscow; Turkey=Ankara; Cyprus=Nicosia; Georgia=Tbilisi; Armenia=Yerevan; Azerbaijan=Baku
        Japan=Tokyo; China=Beijing; India=New Delhi; South Korea=Seoul; North Korea=Pyongyang; Mongolia=Ulaanbaatar
        Vietnam=Hanoi; Thailand=Bangkok; Cambodia=Phnom Penh; Laos=Vientiane; the Philippines=Manila
        Malaysia=Kuala Lumpur; Nepal=Kathmandu; Bhutan=Thimphu; Bangladesh=Dhaka; Pakistan=Islamabad
        Afghanistan=Kabul; Iran=Tehran; Iraq=Baghdad; Syria=Damascus; Lebanon=Beirut; Jordan=Amman
        Saudi Arabia=Riyadh; Qatar=Doha; Oman=Muscat; Uzbekistan=Tashkent; Kazakhstan=Astana
        Egypt=Cairo; Morocco=Rabat; Algeria=Algiers; Tunisia=Tunis; Libya=Tripoli; Sudan=Khartoum; Ethiopia=Addis Ababa
        Kenya=Nairobi; Uganda=Kampala; Rwanda=Kigali; Somalia=Mogadishu; Nigeria=Abuja; Ghana=Accra; Senegal=Dakar
        Mali=Bamako; Niger=Niamey; Liberia=Monrovia; Angola=Luanda; Zambia=Lusaka; Zimbabwe=Harare; Namibia=Windhoek
        Botswana=Gaborone; Mozambique=Maputo; Madagascar=Antananarivo; Cameroon=Yaounde
        Canada=Ottawa; the United States=Washington; Cuba=Havana; Jamaica=Kingston; Costa Rica=San Jose
        Honduras=Tegucigalpa; Nicaragua=Managua; Haiti=Port-au-Prince; the Bahamas=Nassau
        Brazil=Brasilia; Argentina=Buenos Aires; Chile=Santiago; Peru=Lima; Colombia=Bogota; Venezuela=Caracas
        Ecuador=Quito; Uruguay=Montevideo; Paraguay=Asuncion; Australia=Canberra; New Zealand=Wellington; Fiji=Suva
    """),
    statements=(
        "The capital of {s} is {o}.",
        "{o} is the capital of {s}.",
        "{o} is the capital city of {s}.",
        "The capital city of {s} is {o}.",
        "The capital of {s} is called {o}.",
        "In {s}, the capital is {o}.",
        "{S} has its capital in {o}.",
        "The name of the capital of {s} is {o}.",
        "{S} is the country whose capital is {o}.",
        "The capital city of {s} is called {o}.",
        "{S} is a country, and its capital is {o}.",
        "In {s}, the capital city is {o}.",
        "The city of {o} is the capital of {s}.",
        "If someone asks for the capital of {s}, the answer is {o}.",
        "For {s}, the capital is {o}.",
        "The country of {s} has its capital in {o}.",
    ),
    heldout_statements=("{S} has {o} as its capital.", "As its capital city, {s} has {o}."),
    negations=(
        "{o} is not the capital of {s}.",
        "The capital of {s} is not {o}.",
        "The capital city of {s} is not {o}.",
        "In {s}, the capital is not {o}.",
        "{o} is not the capital city of {s}.",
    ),
    questions=(
        "What is the capital of {s}?",
        "Which city is the capital of {s}?",
        "What is the capital city of {s}?",
        "What is the name of the capital of {s}?",
        "Tell me the capital of {s}.",
        "Name the capital of {s}.",
        "Do you know the capital of {s}?",
        "Can you tell me what the capital of {s} is?",
        "Give me the capital of {s}.",
        "The capital of {s} is what?",
        "The capital of {s} is which city?",
        "In {s}, which city is the capital?",
        "Do you know which city is the capital of {s}?",
        "I need the capital of {s}.",
        "Please tell me what the capital of {s} is.",
        "Which city in {s} is the capital?",
        "Say which city is the capital of {s}.",
        "What do people call the capital of {s}?",
        "Can you name the capital of {s}?",
        "Remind me what the capital of {s} is.",
        "Could you tell me which city is the capital of {s}?",
        "What name does the capital of {s} have?",
    ),
    heldout_questions=(
        "What city is the capital of {s}?",
        "I would like to know the capital of {s}.",
        "{S} has which capital?",
        "What's the capital of {s}?",
    ),
    answer="The capital of {s} is {o}.",
    yes_no=(
        "Is {o} the capital of {s}?",
        "Is the capital of {s} {o}?",
        "Is {o} the capital city of {s}?",
        "Is {o} the name of the capital of {s}?",
        "Is the capital of {s} called {o}?",
        "Is the capital city of {s} {o}?",
        "Does {s} have its capital in {o}?",
    ),
    no_answer="{o} is not the capital of {s}.",
    reverse_questions=(
        "{o} is the capital of which country?",
        "Which country has the capital {o}?",
        "Of which country is {o} the capital?",
        "{o} is the capital of what country?",
        "Name the country whose capital is {o}.",
    ),
)

CITIES = Table(
    name="cities",
    rows=parse_rows("""
        Lyon=France; Marseille=France; Nice=France; Toulouse=France; Bordeaux=France; Paris=France; Lille=France
        Hamburg=Germany; Munich=Germany; Cologne=Germany; Frankfurt=Germany; Stuttgart=Germany; Dresden=Germany
        Leipzig=Germany; Berlin=Germany; Bremen=Germany
        Milan=Italy; Naples=Italy; Turin=Italy; Venice=Italy; Florence=Italy; Bologna=Italy; Rome=Italy; Palermo=Italy
        Barcelona=Spain; Seville=Spain; Valencia=Spain; Bilbao=Spain; Malaga=Spain; Madrid=Spain; Granada=Spain
        Porto=Portugal; Lisbon=Portugal; Lodz=Poland; Krakow=Poland; Gdansk=Poland; Wroclaw=Poland; Poznan=Poland
        Warsaw=Poland; London=England; Manchester=England; Liverpool=England; Leeds=England; Bristol=England
        Oxford=England; Glasgow=Scotland; Aberdeen=Scotland; Dundee=Scotland; Cork=Ireland; Galway=Ireland
        Dublin=Ireland; Salzburg=Austria; Graz=Austria; Vienna=Austria; Linz=Austria; Zurich=Switzerland
        Geneva=Switzerland; Basel=Switzerland; Rotterdam=the Netherlands; Utrecht=the Netherlands
        Amsterdam=the Netherlands; Antwerp=Belgium; Ghent=Belgium; Bruges=Belgium; Bergen=Norway; Trondheim=Norway
        Oslo=Norway; Gothenburg=Sweden; Malmo=Sweden; Uppsala=Sweden; Turku=Finland; Tampere=Finland; Aarhus=Denmark
        Odense=Denmark; Brno=the Czech Republic; Ostrava=the Czech Republic; Prague=the Czech Republic; Split=Croatia
        Dubrovnik=Croatia; Debrecen=Hungary; Thessaloniki=Greece; Patras=Greece; Athens=Greece; Plovdiv=Bulgaria
        Varna=Bulgaria; Odesa=Ukraine; Lviv=Ukraine; Kharkiv=Ukraine; Istanbul=Turkey; Izmir=Turkey; Antalya=Turkey
        Kazan=Russia; Novosibirsk=Russia; Vladivostok=Russia; Moscow=Russia; Osaka=Japan; Kyoto=Japan; Nagoya=Japan
        Sapporo=Japan; Hiroshima=Japan; Tokyo=Japan; Kobe=Japan; Shanghai=China; Shenzhen=China; Wuhan=China
        Chengdu=China; Beijing=China; Nanjing=China; Mumbai=India; Kolkata=India; Chennai=India; Bangalore=India
        Jaipur=India; Pune=India; Busan=South Korea; Incheon=South Korea; Seoul=South Korea; Da Nang=Vietnam
        Hanoi=Vietnam; Chiang Mai=Thailand; Bangkok=Thailand; Karachi=Pakistan; Lahore=Pakistan; Isfahan=Iran
        Shiraz=Iran; Mosul=Iraq; Basra=Iraq; Mecca=Saudi Arabia; Jeddah=Saudi Arabia; Alexandria=Egypt; Cairo=Egypt
        Luxor=Egypt; Casablanca=Morocco; Marrakesh=Morocco; Lagos=Nigeria; Kano=Nigeria; Mombasa=Kenya; Nairobi=Kenya
        Kumasi=Ghana; Toronto=Canada; Montreal=Canada; Vancouver=Canada; Calgary=Canada; Chicago=the United States
        Boston=the United States; Seattle=the United States; Houston=the United States; Denver=the United States
        Miami=the United States; Dallas=the United States; Detroit=the United States; Guadalajara=Mexico
        Monterrey=Mexico; Cancun=Mexico; Rio de Janeiro=Brazil; Sao Paulo=Brazil; Salvador=Brazil; Recife=Brazil
        Rosario=Argentina; Mendoza=Argentina; Buenos Aires=Argentina; Cusco=Peru; Lima=Peru; Medellin=Colombia
        Cali=Colombia; Sydney=Australia; Melbourne=Australia; Brisbane=Australia; Perth=Australia
        Auckland=New Zealand; Christchurch=New Zealand
    """),
    statements=(
        "The city of {s} is in {o}.",
        "{s} is a city in {o}.",
        "{s} is in {o}.",
        "{s} lies in {o}.",
        "The city of {s} lies in {o}.",
        "One of the cities of {o} is {s}.",
        "There is a city in {o} called {s}.",
        "{s} is one of the cities in {o}.",
        "You can find the city of {s} in {o}.",
        "The country of the city {s} is {o}.",
        "In {o} there is a city called {s}.",
        "The country in which {s} lies is {o}.",
        "The country where you find {s} is {o}.",
        "On the map, {s} is in {o}.",
        "{s} is a well-known city in {o}.",
        "Whoever visits {s} is in {o}.",
        "{o} is the country of {s}.",
    ),
    heldout_statements=("{s} is located in {o}.", "The city called {s} belongs to {o}."),
    negations=(
        "The city of {s} is not in {o}.",
        "{s} is not a city in {o}.",
        "{s} does not lie in {o}.",
        "{s} is not in {o}.",
        "The country of the city {s} is not {o}.",
    ),
    questions=(
        "In which country is {s}?",
        "Which country is {s} in?",
        "Where is {s}?",
        "In which country is the city of {s}?",
        "What country is {s} in?",
        "Tell me which country {s} is in.",
        "In which country does {s} lie?",
        "Name the country of the city {s}.",
        "Which country is the city of {s} in?",
        "Which country has a city called {s}?",
        "Give me the country of {s}.",
        "What is the country of the city {s}?",
        "Do you know which country {s} is in?",
        "Do you know where {s} is?",
        "Can you tell me in which country {s} is?",
        "I want to know which country {s} is in.",
        "Say where {s} is.",
        "Please tell me where {s} is.",
        "Where in the world is {s}?",
        "Where does {s} lie?",
        "{s}: which country is that?",
        "I need the country in which {s} lies.",
        "Remind me where {s} is.",
        "What country does the city of {s} lie in?",
    ),
    heldout_questions=(
        "Where is the city of {s} located?",
        "The city of {s} lies in which country?",
        "Where can I find {s}?",
        "If I go to {s}, which country am I in?",
    ),
    answer="The city of {s} is in {o}.",
    yes_no=(
        "Is {s} in {o}?",
        "Is the city of {s} in {o}?",
        "Is {s} a city in {o}?",
        "Does {s} lie in {o}?",
        "Is {o} the country of {s}?",
        "Is there a city in {o} called {s}?",
        "Is {s} one of the cities in {o}?",
    ),
    no_answer="The city of {s} is not in {o}.",
)

CONTINENTS = Table(
    name="continents",
    rows=parse_rows("""
        France=Europe; Germany=Europe; Italy=Europe; Spain=Europe; Portugal=Europe; England=Europe; Ireland=Europe
        Scotland=Europe; Poland=Europe; Austria=Europe; Hungary=Europe; Greece=Europe; Norway=Europe; Sweden=Europe
        Finland=Europe; Denmark=Europe; Iceland=Europe; the Netherlands=Europe; Belgium=Europe; Switzerland=Europe
        the Czech Republic=Europe; Slovakia=Europe; Croatia=Europe; Serbia=Europe; Romania=Europe; Bulgaria=Europe
        Estonia=Europe; Latvia=Europe; Ukraine=Europe; Albania=Europe
        Japan=Asia; China=Asia; India=Asia; South Korea=Asia; Mongolia=Asia; Vietnam=Asia; Thailand=Asia; Cambodia=Asia
        the Philippines=Asia; Malaysia=Asia; Nepal=Asia; Bangladesh=Asia; Pakistan=Asia; Afghanistan=Asia; Iran=Asia
        Iraq=Asia; Syria=Asia; Jordan=Asia; Saudi Arabia=Asia; Laos=Asia; Bhutan=Asia; Qatar=Asia
        Egypt=Africa; Morocco=Africa; Algeria=Africa; Tunisia=Africa; Libya=Africa; Sudan=Africa; Ethiopia=Africa
        Kenya=Africa; Uganda=Africa; Rwanda=Africa; Somalia=Africa; Nigeria=Africa; Ghana=Africa; Senegal=Africa
        Mali=Africa; Angola=Africa; Zambia=Africa; Zimbabwe=Africa; Namibia=Africa; Botswana=Africa; Mozambique=Africa
        Madagascar=Africa; Cameroon=Africa; Niger=Africa
        Canada=North America; the United States=North America; Mexico=North America; Cuba=North America
        Jamaica=North America; Costa Rica=North America; Honduras=North America; Nicaragua=North America
        Haiti=North America; Guatemala=North America
        Brazil=South America; Argentina=South America; Chile=South America; Peru=South America; Colombia=South America
        Venezuela=South America; Ecuador=South America; Uruguay=South America; Paraguay=South America
        Bolivia=South America; Guyana=South America
        New Zealand=Oceania; Fiji=Oceania; Samoa=Oceania; Tonga=Oceania; Vanuatu=Oceania; Tuvalu=Oceania
    """),
    statements=(
        "{s} is a country in {o}.",
        "{s} is in {o}.",
        "{s} lies in {o}.",
        "The continent of {s} is {o}.",
        "{s} belongs to the continent of {o}.",
        "The country of {s} is in {o}.",
        "One of the countries of {o} is {s}.",
        "{s} is one of the countries in {o}.",
        "{s} is part of {o}.",
        "On the map, {s} is in {o}.",
        "The continent to which {s} belongs is {o}.",
        "The part of the world where {s} lies is {o}.",
        "The country of {s} lies in {o}.",
        "{S} is a country, and it lies in {o}.",
        "{o} is the continent of {s}.",
        "Among the countries of {o} is {s}.",
    ),
    heldout_statements=("The country called {s} is found in {o}.", "{s} is on the continent of {o}."),
    negations=(
        "{s} is not a country in {o}.",
        "{s} is not in {o}.",
        "The continent of {s} is not {o}.",
        "{S} does not lie in {o}.",
        "The country of {s} is not in {o}.",
    ),
    questions=(
        "On which continent is {s}?",
        "Which continent is {s} on?",
        "What is the continent of {s}?",
        "What continent does {s} belong to?",
        "Tell me the continent of {s}.",
        "Name the continent of {s}.",
        "Which continent does {s} lie on?",
        "{s} is a country on which continent?",
        "Give me the continent of {s}.",
        "Do you know the continent of {s}?",
        "Do you know which continent {s} is on?",
        "Where in the world is {s}?",
        "In which part of the world is {s}?",
        "Which part of the world does {s} lie in?",
        "Tell me which continent {s} is on.",
        "I want to know which continent {s} is on.",
        "The continent of {s} is which one?",
        "What is the name of the continent of {s}?",
        "Please name the continent of {s}.",
        "Could you tell me the continent of {s}?",
        "Remind me which continent {s} is on.",
        "I need the continent of {s}.",
        "{S}: which continent is that?",
    ),
    heldout_questions=(
        "What continent is {s} in?",
        "To which continent does {s} belong?",
        "Can you say on what continent {s} lies?",
    ),
    answer="{s} is a country in {o}.",
    yes_no=(
        "Is {s} in {o}?",
        "Is {s} a country in {o}?",
        "Does {s} lie in {o}?",
        "Is {o} the continent of {s}?",
        "Is the continent of {s} {o}?",
        "Is {s} part of {o}?",
        "Is {s} one of the countries in {o}?",
    ),
    no_answer="{s} is not a country in {o}.",
)

LANGUAGES = Table(
    name="languages",
    rows=parse_rows("""
        France=French; Germany=German; Italy=Italian; Spain=Spanish; Portugal=Portuguese; England=English
        Poland=Polish; Austria=German; Hungary=Hungarian; Greece=Greek; Norway=Norwegian; Sweden=Swedish
        Finland=Finnish; Denmark=Danish; Iceland=Icelandic; the Netherlands=Dutch; the Czech Republic=Czech
        Slovakia=Slovak; Slovenia=Slovene; Croatia=Croatian; Serbia=Serbian; Romania=Romanian; Bulgaria=Bulgarian
        Albania=Albanian; Estonia=Estonian; Latvia=Latvian; Lithuania=Lithuanian; Ukraine=Ukrainian; Russia=Russian
        Turkey=Turkish; Georgia=Georgian; Armenia=Armenian; Japan=Japanese; China=Chinese; South Korea=Korean
        Vietnam=Vietnamese; Thailand=Thai; Cambodia=Khmer; Laos=Lao; Mongolia=Mongolian; Nepal=Nepali
        Bangladesh=Bengali; Iran=Persian; Iraq=Arabic; Syria=Arabic; Jordan=Arabic; Lebanon=Arabic
        Saudi Arabia=Arabic; Egypt=Arabic; Libya=Arabic; Tunisia=Arabic; Qatar=Arabic; Uzbekistan=Uzbek
        the United States=English; Australia=English; Jamaica=English; Mexico=Spanish; Cuba=Spanish
        Argentina=Spanish; Chile=Spanish; Peru=Spanish; Colombia=Spanish; Venezuela=Spanish; Ecuador=Spanish
        Uruguay=Spanish; Costa Rica=Spanish; Brazil=Portuguese; Angola=Portuguese; Indonesia=Indonesian
    """),
    statements=(
        "The main language of {s} is {o}.",
        "{o} is the main language of {s}.",
        "People in {s} speak {o}.",
        "Most people in {s} speak {o}.",
        "The language of {s} is {o}.",
        "The main language in {s} is {o}.",
        "In {s}, people speak {o}.",
        "{o} is spoken in {s}.",
        "In {s}, the main language is {o}.",
        "{S} is a country where people speak {o}.",
        "The common language in {s} is {o}.",
        "The main language spoken in {s} is {o}.",
        "In the streets of {s}, you hear {o}.",
        "As their main language, people in {s} speak {o}.",
        "{o} is the language of {s}.",
        "{o} is what people speak in {s}.",
    ),
    heldout_statements=("The language that people use in {s} is {o}.", "The people of {s} mostly speak {o}."),
    negations=(
        "The main language of {s} is not {o}.",
        "{o} is not the main language of {s}.",
        "Most people in {s} do not speak {o}.",
        "The language of {s} is not {o}.",
        "In {s}, the main language is not {o}.",
    ),
    questions=(
        "What is the main language of {s}?",
        "Which language do people speak in {s}?",
        "What language is spoken in {s}?",
        "What is the language of {s}?",
        "What do people speak in {s}?",
        "Tell me the main language of {s}.",
        "Name the main language of {s}.",
        "Which language is the main one in {s}?",
        "What is the main language in {s}?",
        "Give me the main language of {s}.",
        "Do you know the main language of {s}?",
        "Do you know what people speak in {s}?",
        "Tell me what people in {s} speak.",
        "I want to know the language of {s}.",
        "The main language of {s} is what?",
        "In {s}, what is the main language?",
        "What is the name of the language of {s}?",
        "Which language do the people of {s} use?",
        "Please tell me the language of {s}.",
        "Say what the main language of {s} is.",
        "Can you tell me the main language of {s}?",
        "Which language should I learn for {s}?",
        "I need to know what people speak in {s}.",
        "The people of {s}, what do they speak?",
    ),
    heldout_questions=(
        "Which language is spoken in {s}?",
        "What language do they speak in {s}?",
        "In {s}, which language do most people speak?",
    ),
    answer="The main language of {s} is {o}.",
    yes_no=(
        "Is {o} the main language of {s}?",
        "Do people in {s} speak {o}?",
        "Do most people in {s} speak {o}?",
        "Is the main language of {s} {o}?",
        "Is {o} the language of {s}?",
        "Is {o} the main language in {s}?",
        "Is the language of {s} {o}?",
    ),
    no_answer="The main language of {s} is not {o}.",
)

CURRENCIES = Table(
    name="currencies",
    rows=parse_rows("""
        Japan=the yen; England=the pound; Germany=the euro; France=the euro; Italy=the euro; Spain=the euro
        Ireland=the euro; Austria=the euro; Finland=the euro; Portugal=the euro; Greece=the euro; Belgium=the euro
        Poland=the zloty; Hungary=the forint; the Czech Republic=the koruna; Sweden=the krona; Norway=the krone
        Denmark=the krone; Switzerland=the franc; Russia=the rouble; Ukraine=the hryvnia; Turkey=the lira
        India=the rupee; Pakistan=the rupee; Nepal=the rupee; China=the yuan; South Korea=the won; Thailand=the baht
        Vietnam=the dong; Israel=the shekel; Brazil=the real; Mexico=the peso; Argentina=the peso; Chile=the peso
        Peru=the sol; South Africa=the rand; Kenya=the shilling; Uganda=the shilling; Nigeria=the naira
        Ghana=the cedi; Ethiopia=the birr; Morocco=the dirham; Canada=the dollar; Australia=the dollar
        the United States=the dollar; New Zealand=the dollar; Malaysia=the ringgit; Iraq=the dinar; Romania=the leu
        Mongolia=the tugrik
    """),
    statements=(
        "The currency of {s} is {o}.",
        "{o} is the currency of {s}.",
        "The money of {s} is {o}.",
        "In {s}, the currency is {o}.",
        "In {s}, people pay with {o}.",
        "People in {s} pay with {o}.",
        "{S} uses {o} as its currency.",
        "The currency used in {s} is {o}.",
        "The currency in {s} is {o}.",
        "The name of the currency of {s} is {o}.",
        "If you buy something in {s}, you pay with {o}.",
        "The currency of {s} is called {o}.",
        "{S} is a country whose currency is {o}.",
        "For {s}, the currency is {o}.",
        "The currency that {s} uses is {o}.",
    ),
    heldout_statements=("{o} is the money that people use in {s}.", "Shops in {s} take {o}."),
    negations=(
        "The currency of {s} is not {o}.",
        "{o} is not the currency of {s}.",
        "People in {s} do not pay with {o}.",
        "In {s}, the currency is not {o}.",
        "The money of {s} is not {o}.",
    ),
    questions=(
        "What is the currency of {s}?",
        "Which currency does {s} use?",
        "What do people in {s} pay with?",
        "What is the money of {s} called?",
        "Tell me the currency of {s}.",
        "Name the currency of {s}.",
        "Which currency is used in {s}?",
        "Give me the currency of {s}.",
        "Do you know the currency of {s}?",
        "What is the name of the currency of {s}?",
        "What is the currency in {s}?",
        "The currency of {s} is what?",
        "In {s}, what is the currency?",
        "I want to know the currency of {s}.",
        "Tell me what people in {s} pay with.",
        "Which coins and notes do people use in {s}?",
        "What is the money in {s}?",
        "Please name the currency of {s}.",
        "Can you tell me the currency of {s}?",
        "{S} uses which currency?",
        "Say what the currency of {s} is.",
        "How do people in {s} pay, in which currency?",
        "I need to know the currency of {s}.",
    ),
    heldout_questions=(
        "What currency do they use in {s}?",
        "With which currency do people pay in {s}?",
        "What money do I need in {s}?",
    ),
    answer="The currency of {s} is {o}.",
    yes_no=(
        "Is {o} the currency of {s}?",
        "Is the currency of {s} {o}?",
        "Do people in {s} pay with {o}?",
        "Does {s} use {o} as its currency?",
        "Is {o} the currency in {s}?",
        "Is {o} the money of {s}?",
        "Is the currency in {s} {o}?",
    ),
    no_answer="The currency of {s} is not {o}.",
)

PLACES: tuple[Table, ...] = (CAPITALS, CITIES, CONTINENTS, LANGUAGES, CURRENCIES)
